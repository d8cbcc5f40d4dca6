package queue_test

import (
	"flag"
	"testing"

	"github.com/fetchq/server/internal/dbtest"
)

// alone asks for what holds only where nothing else takes the cores: that of each limit 95 % are used.
var alone = flag.Bool("alone", false, "nothing else uses this machine: see that 95 % of each limit are used")

// newest is the version of Postgres on which most is tried.
const newest = "18"

// TestMain plays fewer random scripts where a flag does not say how many: a quarter of them with -short; a tenth under the race detector,
// where a script takes ten times as long and it is Postgres that most of them try (make bugs plays fifty without it); and less than
// half on an older Postgres, which plays them after the newest has: what differs is SQL, and that is in every script.
func TestMain(m *testing.M) {
	flag.Parse()
	fewer := ""
	switch {
	case dbtest.Raced:
		fewer = "10"
	case testing.Short():
		fewer = "25"
	case dbtest.Major() != newest:
		fewer = "40"
	}
	if checks := flag.Lookup("rapid.checks"); fewer != "" && checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set(fewer); err != nil {
			panic(err)
		}
	}
	m.Run()
}
