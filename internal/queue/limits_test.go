package queue_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
)

// crowd is many workers on three nodes of a queue with limits, and what they were given: by the database's clock.
type crowd struct {
	nodes   [3]*queue.Engine
	workers int
	most    int           // documents that a worker asks for
	work    time.Duration // that a document takes, on average; 0: it is completed at once
	mu      sync.Mutex
	seen    []hold
}

// crowdLock is longer than any of these tests: no lease runs out.
const crowdLock = 10 * time.Minute

// newCrowd makes the queue "a" with settings, and documents of some hosts: the first has half of them, and comes first.
func newCrowd(t *testing.T, settings string, hosts, documents int) *crowd {
	t.Helper()
	url := dbtest.URL(t)
	c := &crowd{workers: 48, most: 3}
	for i := range c.nodes {
		c.nodes[i] = start(t, url, fmt.Sprint("node-", i))
	}
	put(t, c.nodes[0], "a", settings)
	for first := 0; first < documents; first += queue.MaxBatch {
		docs := make([]queue.Push, min(queue.MaxBatch, documents-first))
		for i := range docs {
			n := first + i
			host := 0
			if n >= documents/2 {
				host = n % hosts
			}
			docs[i] = queue.Push{Subject: fmt.Sprintf("https://host-%d.example/%d", host, n)}
		}
		push(t, c.nodes[0], docs...)
	}
	return c
}

// crowdWorks returns for how long a crowd works, and which share of a limit must be used at least. How much is used is measured where
// nothing else takes the cores: what a host may have and nobody asks for while all wait for a core, is not used. Elsewhere half of
// it says that the limit does not hold up what it allows.
func crowdWorks() (d time.Duration, share float64) {
	if *alone {
		return 4 * time.Second, 0.95
	}
	return 2 * time.Second, 0.5
}

// run lets the crowd work for some time.
func (c *crowd) run(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var all errgroup.Group
	all.Go(func() error { return upkeep(ctx, c.nodes[:]) })
	for i := range c.workers {
		all.Go(func() error {
			r := rand.New(rand.NewPCG(3, uint64(i))) //nolint:gosec // a test
			for ctx.Err() == nil {
				if err := c.turn(ctx, c.nodes[i%len(c.nodes)], r); err != nil && ctx.Err() == nil {
					return err
				}
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
}

// upkeep does what the loop does for these queues, on each node in turn.
func upkeep(ctx context.Context, nodes []*queue.Engine) error {
	for i := 0; ctx.Err() == nil; i++ {
		e := nodes[i%len(nodes)]
		for _, job := range []func(context.Context, string) (queue.Upkeep, error){e.Fold, e.Expire} {
			if _, err := job(ctx, "a"); err != nil && ctx.Err() == nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(300 * time.Millisecond):
		}
	}
	return nil
}

// turn is one pick of a worker, his work, and his resolution. What he holds when the time is over he completes all the same.
func (c *crowd) turn(ctx context.Context, e *queue.Engine, r *rand.Rand) error {
	picked, err := e.Pick(ctx, "a", queue.PickParams{Limit: 1 + r.IntN(c.most), Lock: crowdLock, Wait: 30 * time.Second})
	if err != nil || len(picked.Documents) == 0 {
		return err
	}
	if c.work > 0 {
		time.Sleep(time.Duration(r.Int64N(2 * int64(c.work))))
	}
	holds, items := make([]hold, len(picked.Documents)), make([]queue.Resolution, len(picked.Documents))
	for i, d := range picked.Documents {
		holds[i] = hold{subject: d.Subject, from: d.ExpiresAt.Add(-crowdLock)}
		items[i] = queue.Resolution{Subject: d.Subject, Lease: d.Lease, Action: "complete"}
	}
	results, err := e.Resolve(context.WithoutCancel(ctx), "a", items)
	if err != nil {
		return err
	}
	for i, r := range results {
		if r.Outcome != "ok" {
			return fmt.Errorf("the completion of %s is %s", r.Subject, r.Outcome)
		}
		holds[i].ended = r.Next // of a completed document the moment of that
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, holds...)
	return nil
}

// byHost are the holds of each host.
func (c *crowd) byHost() map[string][]hold {
	all := map[string][]hold{}
	for _, h := range c.seen {
		host := strings.Split(h.subject, "/")[2]
		all[host] = append(all[host], h)
	}
	return all
}

// mostHeld is the most that were held at any moment, and the mean from the first such moment to the last pick: before it the workers of
// the test were not all at work.
func mostHeld(holds []hold) (most int, mean float64) {
	type edge struct {
		at time.Time
		by int
	}
	var edges []edge
	for _, h := range holds {
		edges = append(edges, edge{h.from, 1}, edge{h.ended, -1})
	}
	slices.SortFunc(edges, func(a, b edge) int {
		if order := a.at.Compare(b.at); order != 0 {
			return order
		}
		return a.by - b.by // who ends at a moment does not hold at it
	})
	held, first := 0, edges[0].at
	for _, e := range edges {
		if held += e.by; held > most {
			most, first = held, e.at
		}
	}
	last := slices.MaxFunc(holds, func(a, b hold) int { return a.from.Compare(b.from) }).from
	held = 0
	area := 0.0
	for i, e := range edges {
		if i > 0 && e.at.After(first) && !e.at.After(last) {
			area += float64(held) * e.at.Sub(edges[i-1].at).Seconds()
		}
		held += e.by
	}
	return most, area / last.Sub(first).Seconds()
}

// overRate returns how many picks too many there were in some window of time: a token bucket hands out burst and rate × its length at
// most. That is the largest rise of picks less what came in meanwhile.
func overRate(holds []hold, rate, burst float64) float64 {
	at := make([]time.Time, len(holds))
	for i, h := range holds {
		at[i] = h.from
	}
	slices.SortFunc(at, time.Time.Compare)
	least, over := 0.0, -burst
	for i, moment := range at {
		before := float64(i) - rate*moment.Sub(at[0]).Seconds() // picks before this one, less what came in
		least = min(least, before)
		over = max(over, before+1-least-burst)
	}
	return over
}

// rateOf is how many a second were picked from the first to the last, without the burst of the beginning.
func rateOf(holds []hold, burst float64) float64 {
	first, last := holds[0].from, holds[0].from
	for _, h := range holds {
		if h.from.Before(first) {
			first = h.from
		}
		if h.from.After(last) {
			last = h.from
		}
	}
	return (float64(len(holds)) - burst) / last.Sub(first).Seconds()
}

func TestNeverMoreAreActiveThanTheQueueAllowsAndItIsUsed(t *testing.T) {
	if testing.Short() {
		t.Skip("three nodes work for some seconds")
	}
	const most = 7
	c := newCrowd(t, fmt.Sprintf(`{"max_active":%d}`, most), 1, 20_000)
	c.work = 50 * time.Millisecond
	d, share := crowdWorks()
	c.run(t, d)
	held, mean := mostHeld(c.seen)
	t.Logf("%d documents, at most %d and %.2f on average held", len(c.seen), held, mean)
	if held > most {
		t.Errorf("%d were held at once; %d are allowed", held, most)
	}
	if mean < share*most {
		t.Errorf("%.2f were held on average; %.0f %% of %d are wanted", mean, 100*share, most)
	}
}

func TestNeverMoreArePickedThanTheRateAllowsAndItIsUsed(t *testing.T) {
	if testing.Short() {
		t.Skip("three nodes work for some seconds")
	}
	const rate, burst = 200, 20
	c := newCrowd(t, fmt.Sprintf(`{"rate":{"picks":%d,"per":"1s","burst":%d}}`, rate, burst), 1, 20_000)
	d, share := crowdWorks()
	c.run(t, d)
	over, got := overRate(c.seen, rate, burst), rateOf(c.seen, burst)
	t.Logf("%d documents, %.1f a second", len(c.seen), got)
	if over > 1e-3 {
		t.Errorf("in some time %.3f were picked too many", over)
	}
	if got < share*rate {
		t.Errorf("%.1f a second were picked; %.0f %% of %d are wanted", got, 100*share, rate)
	}
}

// TestNoHostIsWorkedOnMoreThanItsLimitsAllow has a host with half of all documents, which come first, and 39 others.
func TestNoHostIsWorkedOnMoreThanItsLimitsAllow(t *testing.T) {
	if testing.Short() {
		t.Skip("three nodes work for some seconds")
	}
	const most, rate, burst, hosts = 2, 10, 2, 40
	for name, settings := range map[string]string{
		"active": `{"max_active":%[1]d}`,
		"rate":   `{"rate":{"picks":%[2]d,"per":"1s","burst":%[3]d}}`,
		"both":   `{"max_active":%[1]d,"rate":{"picks":%[2]d,"per":"1s","burst":%[3]d}}`,
	} {
		for _, partitions := range []int{1, 4} {
			t.Run(fmt.Sprint(name, " ", partitions), func(t *testing.T) {
				limits := strings.NewReplacer("%[1]d", strconv.Itoa(most), "%[2]d", strconv.Itoa(rate), "%[3]d", strconv.Itoa(burst)).Replace(settings)
				c := newCrowd(t, fmt.Sprintf(`{"partitions":%d,"key":{"subject":"host"},"key_limits":%s}`, partitions, limits), hosts, 40_000)
				c.work = 20 * time.Millisecond
				if name == "active" {
					// More workers than the hosts allow. From the end of a visit to the next pick of its host pass two transactions, in which
					// the host has room that nobody uses: visits of half a second make that a small part.
					c.workers, c.work = 150, 500*time.Millisecond
				}
				d, share := crowdWorks()
				c.run(t, d)
				worst, rates := 0.0, 0.0
				for host, holds := range c.byHost() {
					if held, _ := mostHeld(holds); name != "rate" && held > most {
						t.Errorf("%d of %s were held at once; %d are allowed", held, host, most)
					}
					if over := overRate(holds, rate, burst); name != "active" && over > 1e-3 {
						t.Errorf("of %s %.3f too many were picked in some time", host, over)
						worst = max(worst, over)
					}
					rates += rateOf(holds, burst)
				}
				_, mean := mostHeld(c.seen)
				t.Logf("%d documents of %d hosts, %.1f a second, %.1f held on average", len(c.seen), len(c.byHost()), rates, mean)
				switch {
				case len(c.byHost()) < hosts:
					t.Errorf("only %d hosts were worked on; %d are there", len(c.byHost()), hosts)
				case name == "active" && mean < share*most*hosts:
					t.Errorf("%.1f were held on average; %.0f %% of %d are wanted", mean, 100*share, most*hosts)
				case name != "active" && rates < share*rate*hosts:
					t.Errorf("%.1f a second were picked; %.0f %% of %d are wanted", rates, 100*share, rate*hosts)
				}
			})
		}
	}
}
