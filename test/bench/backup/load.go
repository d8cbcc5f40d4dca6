package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/test/bench/serve"
)

const (
	hands = 8   // workers over HTTP
	turn  = 100 // documents that one picks and gives another date
)

// worked is what hands have done.
type worked struct {
	rate  float64 // documents/s
	p99   time.Duration
	share float64 // of what was asked for
}

// work picks documents and makes them due again for a while, at a rate in documents/s, or as fast as it goes where that is 0. What is behind its
// time is counted from when it should have begun.
func work(ctx context.Context, c *client.Client, rate float64) (worked, error) {
	var next atomic.Int64
	var group errgroup.Group
	took := make([][]time.Duration, hands)
	began := time.Now()
	for i := range hands {
		group.Go(func() error {
			for {
				due := time.Now()
				if rate > 0 {
					due = began.Add(time.Duration(float64(next.Add(1)-1) * turn / rate * float64(time.Second)))
				}
				if due.Sub(began) >= *span {
					return nil
				}
				// What is behind for as long as all of it was to take is lost.
				if time.Since(began) > 2**span {
					return nil
				}
				time.Sleep(time.Until(due))
				if err := once(ctx, c); err != nil {
					return err
				}
				took[i] = append(took[i], time.Since(due))
			}
		})
	}
	if err := group.Wait(); err != nil {
		return worked{}, err
	}
	passed := time.Since(began)
	all := slices.Sorted(slices.Values(slices.Concat(took...)))
	if len(all) == 0 {
		return worked{}, errors.New("nothing was worked on")
	}
	w := worked{rate: float64(len(all)*turn) / passed.Seconds(), p99: all[len(all)*99/100], share: 1}
	if rate > 0 {
		w.share = w.rate / rate
	}
	return w, nil
}

// once takes a turn.
func once(ctx context.Context, c *client.Client) error {
	picked, err := c.Pick(ctx, queue, client.PickRequest{Limit: turn})
	if err != nil {
		return err
	}
	if len(picked.Documents) != turn {
		return fmt.Errorf("%d documents of %d were handed out", len(picked.Documents), turn)
	}
	again := time.Now().Format(time.RFC3339Nano)
	ends := make([]client.Resolution, turn)
	for i, d := range picked.Documents {
		ends[i] = client.Resolution{Subject: d.Subject, Lease: d.Lease, Action: client.ActionReschedule, NextIteration: again}
	}
	results, err := c.Resolve(ctx, queue, ends...)
	for _, r := range results {
		if r.Outcome != client.OutcomeOK {
			return fmt.Errorf("a document that was picked is %s", r.Outcome)
		}
	}
	return err
}

// beside works on the queue alone and while it is written to backups, one after the other: with all that both cores have, and with half of that.
func (b *bench) beside(ctx context.Context, s *serve.Server, address string) error {
	token, err := s.Run(ctx, "token", "create", "--name", "bench", "--rights", "work")
	if err != nil {
		return err
	}
	c := client.New(s.URL, token, client.WithHTTPClient(&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: hands}}))
	to := (&url.URL{Scheme: "file", Path: filepath.ToSlash(filepath.Join(b.dir, "beside"))}).String()
	with := func(rate float64) (w worked, runs int, err error) {
		inner, stop := context.WithCancel(ctx)
		defer stop()
		var backups errgroup.Group
		backups.Go(func() error {
			for ; inner.Err() == nil; runs++ {
				if err := run1(inner, address, to, time.Now().UnixNano()); err != nil && inner.Err() == nil {
					return err
				}
			}
			return nil
		})
		w, err = work(ctx, c, rate)
		stop()
		return w, runs, errors.Join(err, backups.Wait())
	}
	if _, err := work(ctx, c, 0); err != nil { // it is warm from here on
		return err
	}
	alone, err := work(ctx, c, 0)
	if err != nil {
		return err
	}
	beside, runs, err := with(0)
	if err != nil {
		return err
	}
	fmt.Printf("worked on with both cores full: %.0f documents/s alone, %.0f beside backups (%.2f of it), %d of them\n", alone.rate, beside.rate, beside.rate/alone.rate, runs)
	half, err := work(ctx, c, alone.rate/2)
	if err != nil {
		return err
	}
	if beside, runs, err = with(alone.rate / 2); err != nil {
		return err
	}
	fmt.Printf("at half of that: p99 of 100 documents %.1f ms alone, %.1f beside backups (%.1f times), %.3f and %.3f of the documents in time, %d backups\n",
		1e3*half.p99.Seconds(), 1e3*beside.p99.Seconds(), beside.p99.Seconds()/half.p99.Seconds(), half.share, beside.share, runs)
	return nil
}

// run1 writes one backup, and removes the one before.
func run1(ctx context.Context, address, to string, n int64) error {
	name := fmt.Sprintf("beside-%d", n)
	if err := fetchq(ctx, address, "backup", "run", "--queue", queue, "--to", to, "--name", name, "--parallel", fmt.Sprint(*parallel)); err != nil {
		return err
	}
	return fetchq(ctx, address, "backup", "prune", "--from", to, "--keep-last", "1")
}

// fetchq runs the program.
func fetchq(ctx context.Context, address string, args ...string) error {
	c := command(ctx, address, *program, args...)
	if said, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("fetchq %s: %w: %s", args[1], err, said)
	}
	return nil
}
