package maintenance

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

// Options of a loop.
type Options struct {
	Log  *slog.Logger
	Node string           // names this process among those on the same database
	Now  func() time.Time // this machine's clock, to measure how long a job took
}

// Loop is the maintenance loop of one process.
type Loop struct {
	db     *pgxpool.Pool
	engine *queue.Engine
	log    *slog.Logger
	node   string
	now    func() time.Time

	once sync.Once
	stop context.CancelFunc
	done chan struct{}
}

// kind is how one sort of job runs.
type kind struct {
	run   func(context.Context, *queue.Engine, string) (queue.Upkeep, error)
	every string // until the next run after one that found something; doubles while it finds nothing
	idle  string // where that ends
}

// call turns a method of the engine into what a kind runs.
func call(method func(*queue.Engine, context.Context, string) (queue.Upkeep, error)) func(context.Context, *queue.Engine, string) (queue.Upkeep, error) {
	return func(ctx context.Context, e *queue.Engine, name string) (queue.Upkeep, error) {
		return method(e, ctx, name)
	}
}

// kinds are the jobs of every queue, as fetchq.job_kinds lists them.
var kinds = map[string]kind{
	"mark_due": {call((*queue.Engine).MarkDue), "250 milliseconds", "30 seconds"},
	"orphans":  {call((*queue.Engine).Orphans), "500 milliseconds", "30 seconds"},
	"fold":     {call((*queue.Engine).Fold), "1 second", "30 seconds"},
	"expire":   {call((*queue.Engine).Expire), "5 seconds", "5 minutes"},
	"vacuum":   {call((*queue.Engine).Vacuum), "1 minute", "5 minutes"},
}

const (
	claimAtOnce = 16                    // jobs of one claim
	atOnce      = 4                     // of them run at the same moment
	shortest    = 20 * time.Millisecond // between two claims
	longest     = time.Second           // between two looks for what others have woken
	failPause   = 2 * time.Second       // after a claim that failed
)

// New returns a loop over the queues of an engine.
func New(db *pgxpool.Pool, engine *queue.Engine, opt Options) *Loop {
	return &Loop{db: db, engine: engine, log: opt.Log, node: opt.Node, now: opt.Now, done: make(chan struct{})}
}

// Start runs the loop until Stop.
func (l *Loop) Start(ctx context.Context) error {
	ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(l.done)
		l.loop(ctx)
	}()
	return nil
}

// Stop ends the loop after the jobs that run. It may be called more than once, and without Start.
func (l *Loop) Stop() {
	l.once.Do(func() {
		if l.stop == nil {
			close(l.done)
			return
		}
		l.stop()
	})
	<-l.done
}

func (l *Loop) loop(ctx context.Context) {
	for {
		n, err := l.runOnce(ctx)
		pause := failPause
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			l.log.Error("maintenance jobs cannot be claimed", "error", err)
		case n == claimAtOnce:
			pause = 0 // there may be more
		default:
			pause = l.untilNext(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// job is one claimed row of fetchq.jobs.
type job struct {
	Queue string
	Kind  string
}

// runOnce claims the jobs that are due, runs them, and returns how many there were.
func (l *Loop) runOnce(ctx context.Context) (int, error) {
	rows, err := l.db.Query(ctx, `select queue, kind from fetchq.job_claim($1, $2)`, l.node, claimAtOnce)
	if err != nil {
		return 0, database.Error("claim maintenance jobs", err)
	}
	jobs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[job])
	if err != nil {
		return 0, database.Error("claim maintenance jobs", err)
	}
	var g errgroup.Group
	g.SetLimit(atOnce)
	for _, j := range jobs {
		g.Go(func() error {
			l.run(ctx, j)
			return nil
		})
	}
	return len(jobs), g.Wait()
}

// run runs one job and writes its outcome. What a stop interrupts is given back at once.
func (l *Loop) run(ctx context.Context, j job) {
	k, known := kinds[j.Kind]
	if !known {
		k = kind{run: unknown, every: "5 minutes", idle: "5 minutes"}
	}
	began := l.now()
	did, err := k.run(ctx, l.engine, j.Queue)
	took := l.now().Sub(began)
	var failure *string
	switch {
	case errs.Of(err) == errs.NotFound:
		return // the queue was dropped meanwhile, and its jobs with it
	case err != nil && ctx.Err() != nil:
		k.every = "0 seconds" // interrupted by Stop: for the next node that looks
	case err != nil:
		text := err.Error()
		failure = &text
		l.log.Error("a maintenance job failed; it is tried again", "queue", j.Queue, "kind", j.Kind, "error", err)
	}
	again := &did.Again
	if did.Again.IsZero() || failure != nil {
		again = nil
	}
	_, err = l.db.Exec(context.WithoutCancel(ctx), `select fetchq.job_done($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		j.Queue, j.Kind, l.node, float64(took.Microseconds())/1000, did.Items, failure, k.every, k.idle, again)
	if err != nil {
		l.log.Error("the outcome of a maintenance job cannot be written; its claim runs out", "queue", j.Queue, "kind", j.Kind, "error", err)
	}
}

// unknown is the job of a newer version that shares this database.
func unknown(context.Context, *queue.Engine, string) (queue.Upkeep, error) {
	return queue.Upkeep{}, nil
}

// untilNext returns how long to sleep until the next job is due.
func (l *Loop) untilNext(ctx context.Context) time.Duration {
	var seconds *float64
	if err := l.db.QueryRow(ctx, `select fetchq.job_next()`).Scan(&seconds); err != nil || seconds == nil {
		return longest
	}
	return min(max(time.Duration(*seconds*float64(time.Second)), shortest), longest)
}
