package queue_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain plays fewer random scripts where a flag does not say how many: with -short a quarter of them.
func TestMain(m *testing.M) {
	flag.Parse()
	if checks := flag.Lookup("rapid.checks"); testing.Short() && checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set("25"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
