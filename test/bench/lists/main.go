// Command lists measures pages that look into many documents: each filter and order of the list of documents of one queue, pages further on, a
// document, the dialogs of operations, and, in many queues with errors, searches and pages of errors. It starts a server of its own
// with the product's defaults in a temporary folder, takes about half an hour with what it lays up, and removes what it made.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/fetchq/server/test/bench/serve"
)

var (
	program   = flag.String("fetchq", "bin/fetchq", "the program; make build makes it")
	documents = flag.Int("documents", 10_000_000, "documents of the one large queue, 10000 to 20000000")
	queues    = flag.Int("queues", 100, "queues to search in, 2 to 1000")
	each      = flag.Int("each", 100_000, "documents of each of these, 3000 to 1000000")
	planned   = flag.Bool("calendars", false, "measure the calendars of a queue with so many planned documents, and nothing else")
	times     = flag.Int("times", 50, "how often each page is asked for, 20 to 1000")
)

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "lists:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *documents < 10_000 || *documents > 20_000_000 || *queues < 2 || *queues > 1000 || *each < 3000 || *each > 1_000_000 || *times < 20 || *times > 1000 {
		return fmt.Errorf("a flag is outside its limits; see -help")
	}
	s, browser, err := serve.StartSignedIn(ctx, *program)
	if err != nil {
		return err
	}
	defer s.Stop()
	d := desk{s, browser}
	if *planned {
		return d.calendars(ctx)
	}
	began := time.Now()
	if err := d.layUpLarge(ctx); err != nil {
		return err
	}
	fmt.Printf("A queue of %d documents, made in %.0f s. Each page %d times, one after the other, on an open connection.\n\n",
		*documents, time.Since(began).Seconds(), *times)
	if err := d.measure(ctx, largePages()); err != nil {
		return err
	}
	began = time.Now()
	if err := d.layUpMany(ctx); err != nil {
		return err
	}
	fmt.Printf("\n%d further queues of %d documents, with %d errors each, made in %.0f s.\n\n", *queues, *each, errorsEach, time.Since(began).Seconds())
	return d.measure(ctx, manyPages())
}

// desk is the server with somebody at it.
type desk struct {
	*serve.Server
	browser *serve.Browser
}

// measure prints a line for each page.
func (d *desk) measure(ctx context.Context, pages []string) error {
	fmt.Println("| page | first ms | p50 | p95 | most | bytes |")
	fmt.Println("|---|---:|---:|---:|---:|---:|")
	for _, path := range pages {
		var took []time.Duration
		var first time.Duration
		size := 0
		for n := range *times {
			p, err := d.browser.Get(ctx, path, false)
			if err != nil {
				return err
			}
			text, err := p.Plain()
			if err != nil {
				return err
			}
			if size = len(text); n == 0 {
				first = p.Last
			}
			took = append(took, p.Last)
		}
		slices.Sort(took)
		at := func(share float64) float64 { return ms(took[int(share*float64(len(took)-1))]) }
		fmt.Printf("| %s | %.1f | %.1f | %.1f | %.1f | %d |\n", path, ms(first), at(0.5), at(0.95), at(1), size)
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
