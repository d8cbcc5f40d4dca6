// Command crawler is the demo of Fetchq: it crawls a site of its own, a directory of the disk behind http.FileServer,
// with several workers through the HTTP API, and then proves that nothing was lost and nothing counted twice.
//
// Each page is one document whose subject is its URL. Lists of directories come first and are visited twice; some pages
// fail on purpose, some of them always. The command ends with a table of what the disk says and what the queue says,
// and with status 1 if they differ. The server may be killed and started again meanwhile (see -disturbed).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/fetchq/server/client"
)

// options are the command's flags.
type options struct {
	url, token, queue, root, databaseURL string
	workers                              int
	disturbed                            bool
	lock, delay, timeout                 time.Duration
}

var errDiffers = errors.New("the queue and the disk differ")

func main() {
	var o options
	flag.StringVar(&o.url, "url", "http://127.0.0.1:8080", "address of the Fetchq server")
	flag.StringVar(&o.token, "token", "", "token with the right admin")
	flag.StringVar(&o.queue, "queue", "demo_crawl", "name of the queue; what stands in it is removed first")
	flag.StringVar(&o.root, "root", filepath.Join(runtime.GOROOT(), "src"), "directory to crawl") //nolint:staticcheck // the demo runs where Go is
	flag.StringVar(&o.databaseURL, "database-url", "", "address of the database, to compare the counters with a real count")
	flag.IntVar(&o.workers, "workers", 8, "number of workers")
	flag.DurationVar(&o.lock, "lock", 30*time.Second, "length of a lease")
	flag.DurationVar(&o.delay, "delay", 0, "time that the site takes for each page")
	flag.DurationVar(&o.timeout, "timeout", 15*time.Minute, "give up after this time")
	flag.BoolVar(&o.disturbed, "disturbed", false, "the servers are killed meanwhile: pages may be visited again, and leases run out")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "crawler:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("not done after %v", o.timeout))
	defer cancel()
	root, err := filepath.EvalSymlinks(o.root)
	if err != nil {
		return fmt.Errorf("find the directory to crawl: %w", err)
	}
	s, err := serve(newTree(root), o.delay)
	if err != nil {
		return err
	}
	defer s.stop()
	all, err := pages(newTree(root), s.base)
	if err != nil {
		return fmt.Errorf("walk the directory to crawl: %w", err)
	}
	fmt.Printf("crawling %d pages of %s at %s with %d workers\n", len(all), root, s.base, o.workers)

	c := client.New(o.url, o.token, client.WithPatience(2*time.Minute))
	before, err := measuredBytes(ctx, c, o.queue)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := crawl(ctx, c, o, s.base); err != nil {
		return err
	}
	fmt.Printf("done in %.1f s\n\n", time.Since(began).Seconds())
	return prove(ctx, c, o, s, all, before)
}

// crawl empties the queue, pushes the first page and works until nothing is left to do.
func crawl(ctx context.Context, c *client.Client, o options, base string) error {
	if _, _, err := c.PutQueue(ctx, o.queue, settings); err != nil {
		return err
	}
	if _, err := c.TruncateQueue(ctx, o.queue, true); err != nil {
		return err
	}
	visitor := &crawler{client: c, queue: o.queue, http: &http.Client{Timeout: 10 * time.Second}}
	if err := visitor.start(ctx, base); err != nil {
		return err
	}
	working, stop := context.WithCancelCause(ctx)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	var workers sync.WaitGroup
	for n := range o.workers {
		workers.Go(func() {
			w := client.Worker{
				Client: c, Queue: o.queue, Name: fmt.Sprintf("crawler-%d", n+1), Handler: visitor.visit,
				Concurrency: 2, Prefetch: 8, Lock: o.lock, Log: log,
			}
			if err := w.Run(working); err != nil {
				stop(fmt.Errorf("worker %d: %w", n+1, err))
			}
		})
	}
	err := finished(working, c, o.queue)
	stop(err)
	workers.Wait()
	return err
}

// finished waits until all documents are completed or killed. Links are pushed before the page that holds them is
// resolved, and the counters are exact: when nothing is left, nothing will come.
func finished(ctx context.Context, c *client.Client, queue string) error {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; {
		q, err := c.Queue(ctx, queue)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil && q.Counts.Planned+q.Counts.Pending+q.Counts.Active == 0:
			return nil
		case err == nil && time.Since(began) > 5*time.Second:
			began = time.Now()
			fmt.Printf("%6d planned %6d pending %4d active %6d completed %4d killed\n",
				q.Counts.Planned, q.Counts.Pending, q.Counts.Active, q.Counts.Completed, q.Counts.Killed)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// prove holds what the queue says against what the disk says. before is what earlier crawls had measured.
func prove(ctx context.Context, c *client.Client, o options, s *site, all map[string]page, before int64) error {
	q, err := c.Queue(ctx, o.queue)
	if err != nil {
		return err
	}
	f, err := look(ctx, c, o.queue, all)
	if err != nil {
		return err
	}
	if f.measured, err = measuredBytes(ctx, c, o.queue); err != nil {
		return err
	}
	f.measured -= before
	served, failed := s.visits()
	rows := compare(truthOf(all), f, q.Counts, served, failed, o.disturbed)
	if o.databaseURL != "" {
		counted, err := count(ctx, o.databaseURL, o.queue, q.Counts)
		if err != nil {
			return err
		}
		rows = append(rows, counted...)
	}
	ok, err := show(os.Stdout, rows)
	if err != nil {
		return err
	}
	if !ok {
		return errDiffers
	}
	fmt.Printf("\nThe %d documents that are killed fail on purpose; the site asks for attention to them: %s/queues/%s/errors\n",
		q.Counts.Killed, o.url, o.queue)
	return nil
}
