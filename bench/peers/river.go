package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// args is River's job, with a payload of the size that all have.
type args struct {
	Text string `json:"text"`
	Key  string `json:"key,omitempty" river:"unique"`
}

// Kind names the job.
func (args) Kind() string { return "bench" }

// rivers measures River. Its jobs have no unique key but where that is what is measured.
type rivers struct {
	pool *pgxpool.Pool
	url  string
	job  args
	seen func() // called by the worker of a job
}

// manyWorkers is how many jobs River works on at once where it is to be fast; measured against 500 and 8,000.
const manyWorkers = 2000

// worker is one of River's that has nothing to do.
type worker struct {
	river.WorkerDefaults[args]
	seen func()
}

// Work does nothing.
func (w *worker) Work(context.Context, *river.Job[args]) error {
	if w.seen != nil {
		w.seen()
	}
	return nil
}

func riverVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	at := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == "github.com/riverqueue/river" })
	if at < 0 {
		return "unknown"
	}
	return strings.TrimPrefix(info.Deps[at].Version, "v")
}

func measureRiver(ctx context.Context, s *server, all results) error {
	url, err := s.database(ctx, "river")
	if err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, url+"&pool_max_conns=20")
	if err != nil {
		return err
	}
	defer pool.Close()
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	r := &rivers{pool: pool, url: url, job: args{Text: strings.Repeat("x", *payload-len(`{"text":""}`))}}
	for _, m := range []struct {
		workload string
		measure  func(context.Context) (figure, error)
	}{
		{ingest, r.ingest}, {unique, r.unique}, {single, r.single},
		{drain, func(ctx context.Context) (figure, error) { return r.drain(ctx, manyWorkers, false) }},
		{held, func(ctx context.Context) (figure, error) { return r.drain(ctx, manyWorkers, true) }},
		{one, func(ctx context.Context) (figure, error) { return r.drain(ctx, 8, false) }},
		{pick, func(ctx context.Context) (figure, error) { return r.pick(ctx, *documents, 0) }},
		{later, func(ctx context.Context) (figure, error) { return r.pick(ctx, *documents, *planned) }},
		{empty, func(ctx context.Context) (figure, error) { return r.pick(ctx, 0, *planned) }},
		{wait, r.wait},
	} {
		if _, err := pool.Exec(ctx, `truncate river_job`); err != nil {
			return err
		}
		f, err := m.measure(ctx)
		if err == nil && (m.workload == ingest || m.workload == unique || m.workload == single) {
			err = r.stand(ctx, f.total)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", m.workload, err)
		}
		f.Figure = m.workload
		all.add(river_, f)
	}
	pool.Close()
	return s.drop(ctx, "river")
}

// stand wants as many jobs in the table as were pushed.
func (r *rivers) stand(ctx context.Context, pushed int) error {
	var n int
	err := r.pool.QueryRow(ctx, `select count(*) from river_job`).Scan(&n)
	if err == nil && n != pushed {
		err = fmt.Errorf("%d jobs were pushed, and %d stand in the table", pushed, n)
	}
	return err
}

// client is one that works with so many workers, or only inserts where there are none. It fetches and completes as fast as its
// settings allow.
func (r *rivers) client(workers int) (*river.Client[pgx.Tx], error) {
	cfg := &river.Config{Logger: slog.New(slog.DiscardHandler), FetchCooldown: time.Millisecond, FetchPollInterval: 50 * time.Millisecond}
	if workers > 0 {
		cfg.Workers = river.NewWorkers()
		river.AddWorker(cfg.Workers, &worker{seen: r.seen})
		cfg.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}}
	}
	return river.NewClient(riverpgxv5.New(r.pool), cfg)
}

// many are n jobs, due or with dates from at on.
func (r *rivers) many(n int, at time.Time) []river.InsertManyParams {
	list := make([]river.InsertManyParams, n)
	for i := range list {
		list[i] = river.InsertManyParams{Args: r.job}
		if !at.IsZero() {
			list[i].InsertOpts = &river.InsertOpts{ScheduledAt: at.Add(time.Duration(i) * time.Second)}
		}
	}
	return list
}

// fill inserts due and planned jobs, and leaves the table as a quiet minute would.
func (r *rivers) fill(ctx context.Context, due, later int) error {
	c, err := r.client(0)
	if err != nil {
		return err
	}
	put := func(n int, at time.Time) error {
		for size := 0; n > 0; n -= size {
			size = min(n, 10_000)
			if _, err := c.InsertManyFast(ctx, r.many(size, at)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := put(due, time.Time{}); err != nil {
		return err
	}
	if err := put(later, time.Now().Add(24*time.Hour)); err != nil {
		return err
	}
	_, err = r.pool.Exec(ctx, `vacuum (analyze) river_job`)
	return err
}

func (r *rivers) ingest(ctx context.Context) (figure, error) {
	c, err := r.client(0)
	if err != nil {
		return figure{}, err
	}
	return repeat(8, func() (int, error) { return c.InsertManyFast(ctx, r.many(1000, time.Time{})) })
}

// unique inserts jobs whose keys are unique, which River does not do by COPY.
func (r *rivers) unique(ctx context.Context) (figure, error) {
	c, err := r.client(0)
	if err != nil {
		return figure{}, err
	}
	var calls atomic.Int64
	return repeat(8, func() (int, error) {
		call, list := calls.Add(1), r.many(1000, time.Time{})
		for i := range list {
			job := r.job
			job.Key = fmt.Sprintf("https://bench.example/%d/%d", call, i)
			list[i] = river.InsertManyParams{Args: job, InsertOpts: &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}}}
		}
		made, err := c.InsertMany(ctx, list)
		return len(made), err
	})
}

func (r *rivers) single(ctx context.Context) (figure, error) {
	c, err := r.client(0)
	if err != nil {
		return figure{}, err
	}
	return repeat(8, func() (int, error) {
		_, err := c.Insert(ctx, r.job, nil)
		return 1, err
	})
}

// drain works off the jobs, until the last is told as completed, which is when that stands in the table.
func (r *rivers) drain(ctx context.Context, workers int, old bool) (figure, error) {
	if err := r.fill(ctx, *documents, 0); err != nil {
		return figure{}, err
	}
	if old {
		release, err := hold(ctx, r.url)
		if err != nil {
			return figure{}, err
		}
		defer release()
	}
	r.seen = nil
	c, err := r.client(workers)
	if err != nil {
		return figure{}, err
	}
	limit := time.After(time.Minute)
	if workers == 8 {
		limit = time.After(*each)
	}
	events, cancel := c.SubscribeConfig(&river.SubscribeConfig{ChanSize: *documents, Kinds: []river.EventKind{river.EventKindJobCompleted}})
	defer cancel()
	began := time.Now()
	if err := c.Start(ctx); err != nil {
		return figure{}, err
	}
	done := 0
	for over := false; done < *documents && !over; {
		select {
		case <-events:
			done++
		case <-limit:
			over = true
		case <-ctx.Done():
			return figure{}, ctx.Err()
		}
	}
	took := time.Since(began)
	return figure{Rate: float64(done) / took.Seconds()}, c.Stop(ctx)
}

// pick is the fetch of one job as River's producer makes it.
func (r *rivers) pick(ctx context.Context, due, later int) (figure, error) {
	if err := r.fill(ctx, due, later); err != nil {
		return figure{}, err
	}
	exec := riverpgxv5.New(r.pool).GetExecutor()
	wants := 1
	if due == 0 {
		wants = 0
	}
	return repeat(1, func() (int, error) {
		jobs, err := exec.JobGetAvailable(ctx, &riverdriver.JobGetAvailableParams{ClientID: "bench", MaxAttemptedBy: 10, MaxToLock: 1, Queue: river.QueueDefault})
		if err == nil && len(jobs.Jobs) != wants {
			err = fmt.Errorf("a pick brought %d jobs", len(jobs.Jobs))
		}
		return 1, err
	})
}

// wait is the time from an insert to a worker that waits, woken by a notification.
func (r *rivers) wait(ctx context.Context) (figure, error) {
	arrived := make(chan time.Time, 1)
	r.seen = func() { arrived <- time.Now() }
	c, err := r.client(1)
	if err != nil {
		return figure{}, err
	}
	if err := c.Start(ctx); err != nil {
		return figure{}, err
	}
	time.Sleep(time.Second) // it listens by then
	var times []float64
	for began := time.Now(); time.Since(began) < *each; {
		sent := time.Now()
		if _, err := c.Insert(ctx, r.job, nil); err != nil {
			return figure{}, err
		}
		select {
		case at := <-arrived:
			times = append(times, milliseconds(at.Sub(sent)))
		case <-time.After(20 * time.Second):
			return figure{}, fmt.Errorf("a worker that waits got nothing")
		}
		time.Sleep(20 * time.Millisecond)
	}
	return percentiles(times), c.Stop(ctx)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func percentiles(times []float64) figure {
	slices.Sort(times)
	at := func(share float64) float64 { return times[min(int(share*float64(len(times))), len(times)-1)] }
	return figure{P50: at(0.5), P99: at(0.99)}
}

// repeat makes calls from n goroutines until the time is up.
func repeat(n int, call func() (int, error)) (figure, error) {
	var (
		mu      sync.Mutex
		all     sync.WaitGroup
		times   []float64
		total   int
		failure error
	)
	began := time.Now()
	for range n {
		all.Go(func() {
			for first := true; time.Since(began) < *each; first = false {
				at := time.Now()
				done, err := call()
				took := time.Since(at)
				mu.Lock()
				if total += done; !first {
					times = append(times, milliseconds(took)) // the first connects
				}
				if err != nil {
					failure = err
					mu.Unlock()
					return
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if failure != nil || len(times) == 0 {
		return figure{}, failure
	}
	f := percentiles(times)
	f.total = total
	f.Rate = float64(total) / time.Since(began).Seconds()
	return f, nil
}
