// Package faults_test kills the program and its Postgres while a crawl goes on, and wants nothing lost and nothing
// counted twice.
package faults_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

var (
	kills = flag.Int("faults.kills", 3, "how often something is killed")
	seed  = flag.Uint64("faults.seed", 0, "seed of the random moments and victims; 0 takes one from the clock")
	tree  = flag.String("faults.root", filepath.Join(runtime.GOROOT(), "src"), "directory that is crawled") //nolint:staticcheck // tests run where Go is
)

// Between two kills, with the time to be ready again, there are about cycle; the crawl is slowed down so that it lasts
// for all of them.
const (
	shortest = 200 * time.Millisecond
	longest  = 2 * time.Second
	cycle    = 3 * time.Second
	hands    = 16 // visits at a time: 8 workers with two handlers
)

// victims say what is killed; the program is started again wherever it was killed.
var victims = []struct {
	name string
	kill func(p *program)
}{
	{"the program", func(p *program) { p.kill(); p.start() }},
	{"Postgres", func(p *program) { p.recover(p.killPostgres()) }},
	{"both, the program first", func(p *program) { p.kill(); p.killPostgres(); p.start() }},
	{"both, Postgres first", func(p *program) { p.killPostgres(); p.kill(); p.start() }},
}

// TestCrashes runs the crawler of the demo against a server of its own and kills the program, Postgres or both at
// random moments. The crawler compares the disk with the documents, the log and the counters at the end; the program's
// own doctor counts once more.
func TestCrashes(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for half a minute and more")
	}
	t.Parallel()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("run again with: go test ./test/faults -run TestCrashes -faults.kills=%d -faults.seed=%d", *kills, *seed)
	random := rand.New(rand.NewPCG(*seed, 0)) //nolint:gosec // to be repeated

	dir := folder(t)
	p := newProgram(t, dir)
	p.start()
	p.findPostgres()
	limitCrawl(t, p)
	crawl := startCrawl(t, p, dir, time.Duration(*kills)*cycle)
	for n := range *kills {
		moment := shortest + time.Duration(random.Int64N(int64(longest-shortest)))
		victim := victims[random.IntN(len(victims))]
		select {
		case err := <-crawl.ended:
			t.Fatalf("the crawl ended after %d of %d kills: %v\n%s", n, *kills, err, &crawl.out)
		case <-time.After(moment):
		}
		if n == 0 {
			p.loseNode()
		}
		began := time.Now()
		victim.kill(p)
		t.Logf("kill %2d after %4d ms: %-24s ready again after %4d ms", n+1, moment.Milliseconds(), victim.name, time.Since(began).Milliseconds())
	}
	if err := <-crawl.ended; err != nil {
		t.Fatalf("the crawler: %v\n%s\n%s", err, &crawl.out, p.tail())
	}
	t.Logf("%s", &crawl.out)
	t.Logf("doctor: %s", p.command("doctor"))
	seriesAgree(t, p)
	checkJournal(t, p)
	p.stop()
}

// crawl is a crawler at work. Its output may be read once it has ended.
type crawl struct {
	out   bytes.Buffer
	ended chan error
}

// startCrawl starts one that goes on for some time.
func startCrawl(t *testing.T, p *program, dir string, lasts time.Duration) *crawl {
	t.Helper()
	delay := lasts * hands / time.Duration(countPages(t))
	token := p.command("token", "create", "--name", "faults", "--rights", "admin")
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, build(t, dir, "crawler", "./examples/crawler"), "-disturbed",
		"-url", p.url, "-token", token, "-database-url", p.command("db-url"), "-root", *tree,
		"-delay", delay.String(), "-lock", "10s", "-timeout", fmt.Sprint(5*time.Minute+3*lasts))
	c := &crawl{ended: make(chan error, 1)}
	cmd.Stdout, cmd.Stderr = &c.out, &c.out
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	go func() { c.ended <- cmd.Wait(); close(c.ended) }()
	t.Cleanup(func() {
		cancel()
		for range c.ended { // a crawl that nobody waited for ends before the server does
		}
	})
	return c
}

// countPages returns about how many pages the crawl visits.
func countPages(t *testing.T) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(*tree, func(string, fs.DirEntry, error) error { n++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return n
}
