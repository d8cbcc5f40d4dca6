// Command pages measures what the pages cost: first byte, bytes and requests of each at 200 queues and a million documents,
// and the share of a core that 50 open pages take while nothing changes and while a crawl goes on. It starts a server of its
// own with the product's defaults in a temporary folder, takes about eleven minutes, and removes what it made.
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
	program   = flag.String("fetchq", "bin/fetchq", "the program; make build makes it")
	queues    = flag.Int("queues", 200, "queues, 20 to 1000")
	documents = flag.Int("documents", 1_000_000, "documents in all of them, 10000 to 10000000; half of them in one")
	times     = flag.Int("times", 100, "how often each page is asked for, 20 to 1000")
	open      = flag.Int("open", 50, "pages that are open at once, 1 to 1000")
	span      = flag.Duration("span", 2*time.Minute, "how long the share of a core is taken over, 5s to 10m")
)

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "pages:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *queues < 20 || *queues > 1000 || *documents < 10_000 || *documents > 10_000_000 || *times < 20 || *times > 1000 || *open < 1 || *open > 1000 ||
		*span < 5*time.Second || *span > 10*time.Minute {
		return fmt.Errorf("a flag is outside its limits; see -help")
	}
	s, err := startServer(ctx)
	if err != nil {
		return err
	}
	defer s.Stop()
	began := time.Now()
	if err := s.seed(ctx); err != nil {
		return err
	}
	fmt.Printf("%d queues, %d documents, made in %.0f s.\n\n", *queues, *documents, time.Since(began).Seconds())
	if err := s.measurePages(ctx); err != nil {
		return err
	}
	return s.measureOpen(ctx)
}
