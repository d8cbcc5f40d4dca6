package bench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fetchq/server/client"
)

const (
	urgentEvery    = 100 * time.Millisecond
	urgentPriority = 100
	leftEvery      = 20 // picks, of which one is walked away from
	lagEvery       = 100 * time.Millisecond
)

// urgents are documents of a high priority on their way, and how long those took that have arrived.
type urgents struct {
	mu    sync.Mutex
	sent  map[string]time.Time
	times times
}

// calendar is what a queue of repeated visits lives through: workers complete half of what they pick and reschedule the rest to
// a few seconds ahead, one pick in 20 is left to its lease of a second, and ten documents a second come with a high priority.
// Its documents are those that were completed or rescheduled, its times those of the urgent ones from push to pick.
func calendar(ctx context.Context, r *run) (load, error) {
	u := &urgents{sent: map[string]time.Time{}}
	work := load{workers: r.o.Connections, turn: func(ctx context.Context, _, turn int) (step, error) { return r.visit(ctx, u, turn) }}
	return load{rest: func(ctx context.Context, m *measured) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var beside errgroup.Group
		var lag float64
		beside.Go(func() error { return r.pushUrgent(ctx, u) })
		beside.Go(func() (err error) { lag, err = r.foldLag(ctx); return err })
		did, err := r.repeat(ctx, work)
		over := ctx.Err() == nil
		cancel()
		if failed := beside.Wait(); err == nil && over {
			err = failed
		}
		*m = did
		m.times, m.extra.lag = u.times, &lag
		u.mu.Lock()
		defer u.mu.Unlock()
		for subject, at := range u.sent {
			if waited := r.Now().Sub(at); err == nil && waited > patience {
				err = fmt.Errorf("the urgent document %s was not picked within %s", subject, waited.Round(time.Second))
			}
			m.times.add(r.Now().Sub(at)) // at least so long
		}
		return err
	}}, r.prepare(ctx)
}

// visit is one turn of a worker.
func (r *run) visit(ctx context.Context, u *urgents, turn int) (step, error) {
	ask, leave := client.PickRequest{Limit: r.o.Batch, Worker: "bench"}, turn%leftEvery == leftEvery-1
	if leave {
		ask.Lock = "1s"
	}
	picked, err := r.http.Pick(ctx, r.queue, ask)
	if err != nil {
		return step{}, err
	}
	u.arrived(picked.Documents, r.Now())
	if leave || len(picked.Documents) == 0 {
		return step{}, nil
	}
	all := r.ended(picked.Documents)
	for i := range all {
		if i%2 == 1 && picked.Documents[i].Priority == 0 {
			all[i].Action, all[i].NextIteration = client.ActionReschedule, fmt.Sprintf("+%ds", 1+i%5)
		}
	}
	n, err := okay(r.http.Resolve(ctx, r.queue, all...))
	return step{documents: n}, err
}

// arrived takes the time of the urgent documents among those that were picked.
func (u *urgents) arrived(docs []client.Leased, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, d := range docs {
		if sent, known := u.sent[d.Subject]; known {
			u.times.add(at.Sub(sent))
			delete(u.sent, d.Subject)
		}
	}
}

// pushUrgent pushes one urgent document after the other until the context ends.
func (r *run) pushUrgent(ctx context.Context, u *urgents) error {
	priority := urgentPriority
	for n := 0; ; n++ {
		if r.sleep(ctx, urgentEvery) != nil {
			return nil //nolint:nilerr // the others have finished
		}
		name := fmt.Sprintf("https://bench.example/urgent/%d", n)
		u.mu.Lock()
		u.sent[name] = r.Now()
		u.mu.Unlock()
		_, err := r.http.Push(ctx, r.queue, client.PushRequest{Documents: []client.Push{{Subject: name, Priority: &priority, Payload: []byte(r.payload)}}})
		if ctx.Err() != nil {
			u.mu.Lock()
			delete(u.sent, name)
			u.mu.Unlock()
			return nil //nolint:nilerr // as above
		}
		if err != nil {
			return err
		}
	}
}

// foldLag returns by how many seconds at most the folded counters of the queue were behind, until the context ends.
func (r *run) foldLag(ctx context.Context) (most float64, err error) {
	for r.sleep(ctx, lagEvery) == nil {
		var lag float64
		err := r.Bench.db.QueryRow(ctx, `select extract(epoch from clock_timestamp() - as_of)::float8 from fetchq.queue_states where queue = $1`, r.queue).Scan(&lag)
		if err != nil && ctx.Err() == nil {
			return most, fmt.Errorf("read when the counters were folded: %w", err)
		}
		most = max(most, lag)
	}
	return most, nil
}
