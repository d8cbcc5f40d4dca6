// Command nodes measures what needs the program in processes of their own: how long a document takes from a push at one node to a
// worker that waits at another, and what streams of pushes do to the picks of others and to the program's memory. It starts two nodes
// on a private Postgres in a temporary folder, takes about a minute, and removes what it made.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/test/bench/serve"
)

var (
	program = flag.String("fetchq", "bin/fetchq", "the program; make build makes it")
	pushes  = flag.Int("pushes", 500, "documents that are pushed to a waiting worker, 10 to 10000")
	streams = flag.Int("streams", 8, "NDJSON streams at once, 1 to 8")
	span    = flag.Duration("span", 15*time.Second, "how long picks are timed, without streams and beside them; 1s to 10m")
)

const (
	inLine   = 15 * time.Millisecond // a worker gets so long to begin its wait
	lines    = 20_000                // of one stream
	pickRate = 5 * time.Millisecond  // between two picks: a worker works on what it has
)

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "nodes:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *pushes < 10 || *pushes > 10_000 || *streams < 1 || *streams > 8 || *span < time.Second || *span > 10*time.Minute {
		return errors.New("a flag is outside its limits; see -help")
	}
	s, err := serve.Start(ctx, *program)
	if err != nil {
		return err
	}
	defer s.Stop()
	other, err := s.Another(ctx)
	if err != nil {
		return err
	}
	defer other.Stop()
	token, err := s.Run(ctx, "token", "create", "--name", "bench", "--rights", "read,push,work")
	if err != nil {
		return err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	here := client.New(s.URL, token, client.WithHTTPClient(&http.Client{Transport: transport}))
	there := client.New(other.URL, token, client.WithHTTPClient(&http.Client{Transport: transport}))
	for _, name := range []string{"waits", "picks", "streams"} {
		if _, err := s.DB.Exec(ctx, `select fetchq.queue_create($1)`, name); err != nil {
			return err
		}
	}
	fmt.Println("| what | p50 ms | p95 ms | p99 ms | max ms |\n|---|---:|---:|---:|---:|")
	for _, w := range []struct {
		what string
		at   *client.Client
	}{{"push to a worker that waits at the same node", here}, {"push to a worker that waits at another node", there}} {
		times, err := waits(ctx, here, w.at)
		if err != nil {
			return err
		}
		row(w.what, times)
	}
	return beside(ctx, s, here)
}

// row prints a line of the table, and returns the 99th percentile.
func row(what string, times []time.Duration) time.Duration {
	slices.Sort(times)
	at := func(share float64) time.Duration { return times[min(int(share*float64(len(times))), len(times)-1)] }
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	fmt.Printf("| %s | %.2f | %.2f | %.2f | %.2f |\n", what, ms(at(0.5)), ms(at(0.95)), ms(at(0.99)), ms(at(1)))
	return at(0.99)
}

// waits measures from the push that is sent to the worker that has the document.
func waits(ctx context.Context, from, at *client.Client) (times []time.Duration, err error) {
	for n := range *pushes {
		var docs []client.Leased
		var arrived time.Time
		var group errgroup.Group
		group.Go(func() error {
			picked, err := at.Pick(ctx, "waits", client.PickRequest{Wait: "20s"})
			docs, arrived = picked.Documents, time.Now()
			return err
		})
		time.Sleep(inLine)
		sent := time.Now()
		_, err := from.Push(ctx, "waits", client.PushRequest{Documents: []client.Push{{Payload: json.RawMessage(`{"n":1}`)}}})
		if err = errors.Join(err, group.Wait()); err == nil && len(docs) != 1 {
			err = errors.New("a worker waited in vain")
		}
		if err != nil {
			return nil, err
		}
		if n > 0 { // the first one connects and plans
			times = append(times, arrived.Sub(sent))
		}
		if _, err := at.Resolve(ctx, "waits", client.Resolution{Subject: docs[0].Subject, Lease: docs[0].Lease, Action: client.ActionComplete}); err != nil {
			return nil, err
		}
	}
	return times, nil
}

// beside times the picks of one worker alone, and then while streams push to another queue.
func beside(ctx context.Context, s *serve.Server, c *client.Client) error {
	if _, err := c.PushStream(ctx, "picks", documents("p", 200_000)); err != nil {
		return err
	}
	before, _, err := s.Memory()
	if err != nil {
		return err
	}
	time.Sleep(5 * time.Second) // what that left to do is done
	alone, err := picks(ctx, c)
	if err != nil {
		return err
	}
	idle := row("pick of one by one worker", alone)
	pushed, most := 0, int64(0)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group errgroup.Group
	counts := make([]int, *streams)
	began := time.Now()
	for i := range *streams {
		group.Go(func() error {
			for n := 0; ctx.Err() == nil; n++ {
				got, err := c.PushStream(ctx, "streams", documents(fmt.Sprintf("s%d/%d", i, n), lines))
				if err != nil && ctx.Err() == nil {
					cancel()
					return err
				}
				counts[i] += got.Created
			}
			return nil
		})
	}
	group.Go(func() error {
		for ctx.Err() == nil {
			now, _, err := s.Memory()
			if err != nil {
				return err
			}
			most = max(most, now)
			time.Sleep(20 * time.Millisecond)
		}
		return nil
	})
	time.Sleep(2 * time.Second)
	during, err := picks(ctx, c)
	took := time.Since(began)
	cancel()
	if err := errors.Join(err, group.Wait()); err != nil {
		return err
	}
	for _, n := range counts {
		pushed += n
	}
	busy := row(fmt.Sprintf("the same beside %d NDJSON streams", *streams), during)
	fmt.Printf("\nThe streams pushed %.0f documents/s. The 99th percentile of picks was %.1f times that without them. The program had %d MB before and %d MB at most.\n",
		float64(pushed)/took.Seconds(), float64(busy)/float64(idle), before>>20, most>>20)
	return nil
}

// documents are the lines of a stream.
func documents(prefix string, n int) func(yield func(client.Push, error) bool) {
	return func(yield func(client.Push, error) bool) {
		for i := range n {
			if !yield(client.Push{Subject: fmt.Sprintf("https://bench.example/%s/%d", prefix, i), Payload: json.RawMessage(`{"depth": 1, "title": "an article of some length"}`)}, nil) {
				return
			}
		}
	}
}

// picks times picks of one document each, for the span; what they bring is completed beside the clock.
func picks(ctx context.Context, c *client.Client) (times []time.Duration, err error) {
	for end := time.Now().Add(*span); time.Now().Before(end); time.Sleep(pickRate) {
		at := time.Now()
		picked, err := c.Pick(ctx, "picks", client.PickRequest{})
		if err != nil || len(picked.Documents) != 1 {
			return nil, errors.Join(err, fmt.Errorf("a pick brought %d documents", len(picked.Documents)))
		}
		times = append(times, time.Since(at))
		d := picked.Documents[0]
		if _, err := c.Resolve(ctx, "picks", client.Resolution{Subject: d.Subject, Lease: d.Lease, Action: client.ActionComplete}); err != nil {
			return nil, err
		}
	}
	return times, nil
}
