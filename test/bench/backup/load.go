package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

const (
	hands = 8   // connections that work
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
func work(ctx context.Context, address string, rate float64) (worked, error) {
	var next atomic.Int64
	var group errgroup.Group
	took := make([][]time.Duration, hands)
	began := time.Now()
	for i := range hands {
		group.Go(func() error {
			conn, err := pgx.Connect(ctx, address)
			if err != nil {
				return err
			}
			defer conn.Close(context.WithoutCancel(ctx))
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
				if err := once(ctx, conn); err != nil {
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
func once(ctx context.Context, conn *pgx.Conn) error {
	var subjects []string
	var leases []int64
	err := conn.QueryRow(ctx, `select array_agg(subject), array_agg(lease) from fetchq.doc_pick_many($1, 0, $2)`, queue, turn).Scan(&subjects, &leases)
	if err != nil {
		return err
	}
	if len(subjects) != turn {
		return fmt.Errorf("%d documents of %d were handed out", len(subjects), turn)
	}
	var done int
	err = conn.QueryRow(ctx, `select count(*) filter (where outcome = 'ok') from fetchq.doc_resolve_many($1, $2, $3, array_fill('reschedule'::text, array[$4::int]),
		array_fill(clock_timestamp(), array[$4::int]))`, queue, subjects, leases, turn).Scan(&done)
	if err == nil && done != turn {
		err = fmt.Errorf("of %d documents %d got another date", turn, done)
	}
	return err
}

// beside works on the queue alone and while it is written to backups, one after the other: with all that both cores have, and with half of that.
func (b *bench) beside(ctx context.Context, address string) error {
	to := (&url.URL{Scheme: "file", Path: filepath.ToSlash(filepath.Join(b.dir, "beside"))}).String()
	with := func(rate float64) (w worked, runs int, err error) {
		inner, stop := context.WithCancel(ctx)
		defer stop()
		var backups errgroup.Group
		backups.Go(func() error {
			for ; inner.Err() == nil; runs++ {
				if err := run1(inner, address, to, runs); err != nil && inner.Err() == nil {
					return err
				}
			}
			return nil
		})
		w, err = work(ctx, address, rate)
		stop()
		return w, runs, errors.Join(err, backups.Wait())
	}
	if _, err := work(ctx, address, 0); err != nil { // it is warm from here on
		return err
	}
	alone, err := work(ctx, address, 0)
	if err != nil {
		return err
	}
	beside, runs, err := with(0)
	if err != nil {
		return err
	}
	fmt.Printf("worked on with both cores full: %.0f documents/s alone, %.0f beside backups (%.2f of it), %d of them\n", alone.rate, beside.rate, beside.rate/alone.rate, runs)
	half, err := work(ctx, address, alone.rate/2)
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
func run1(ctx context.Context, address, to string, n int) error {
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
