// Command peers does the same work with Fetchq, River, graphile-worker, pg-boss and Fetchq 4, one after the other on one Postgres that
// it starts itself, and prints a table in which each figure has its ratio to the barest SQL of the same work and to the best
// of the others. bench/peers/run installs what it needs. It is a module of its own: what it measures is no part of Fetchq.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

var (
	program   = flag.String("fetchq", "../../bin/fetchq", "the program; make build makes it")
	pgBin     = flag.String("pg-bin", "", "programs of Postgres, 15 to 18; default: those from npm")
	documents = flag.Int("documents", 200_000, "jobs that wait before a drain, 100 to 5000000")
	planned   = flag.Int("planned", 1_000_000, "jobs with dates ahead behind which is picked, 100 to 10000000")
	payload   = flag.Int("payload", 100, "bytes of a payload, 16 to 100000")
	batch     = flag.Int("batch", 1000, "documents of Fetchq's picks and resolutions, 1 to 1000")
	each      = flag.Duration("each", 5*time.Second, "how long pushes, picks and single drains go on, 100ms to 1m")
	most      = flag.Duration("most", 40*time.Minute, "when all of it is given up, 1m to 3h")
	docs      = flag.String("docs", "", "a Markdown file whose lines between <!-- peers --> and <!-- /peers --> become the table")
	only      = flag.String("only", "", "one of fetchq, river, graphile-worker, pg-boss, Fetchq 4, to try it alone")
)

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// within says which flag is outside its limits.
func within() error {
	for _, l := range []struct {
		name               string
		value, least, most float64
	}{
		{"documents", float64(*documents), 100, 5e6}, {"planned", float64(*planned), 100, 1e7}, {"payload", float64(*payload), 16, 1e5},
		{"batch", float64(*batch), 1, 1000}, {"each", each.Seconds(), 0.1, 60}, {"most", most.Minutes(), 1, 180},
	} {
		if l.value < l.least || l.value > l.most {
			return fmt.Errorf("-%s is %g; %g to %g are allowed", l.name, l.value, l.least, l.most)
		}
	}
	if *only != "" && !known(*only) {
		return fmt.Errorf("-only is %q; fetchq, river, graphile-worker, pg-boss or Fetchq 4 is wanted", *only)
	}
	return nil
}

func run() error {
	if err := within(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *most)
	defer cancel()
	s, err := startServer(ctx)
	if err != nil {
		return err
	}
	defer s.remove()
	all := results{}
	for _, m := range []struct {
		name    string
		measure func(context.Context, *server, results) error
	}{
		{"fetchq", measureFetchq}, {river_, measureRiver}, {graphile, node("graphile.mjs", graphile)}, {boss, node("pgboss.mjs", boss)},
		{fetchq4, node("fetchq4.mjs", fetchq4)},
	} {
		if *only != "" && *only != m.name {
			continue
		}
		fmt.Fprintln(os.Stderr, "peers: measuring", m.name)
		if err := m.measure(ctx, s, all); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	text, err := s.describe(ctx)
	if err != nil {
		return err
	}
	text += "\n" + all.table()
	fmt.Print(text)
	if *docs != "" {
		return write(*docs, text)
	}
	return nil
}
