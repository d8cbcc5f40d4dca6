package maintenance

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/database"
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
	kinds  map[string]kind

	mu      sync.Mutex
	running map[job]time.Time // since when its claim was lengthened last
	jobs    sync.WaitGroup
	signal  chan struct{} // a job ended that lets the loop look again before its time

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

// The jobs that may take hours: each has slots of its own.
const (
	vacuum = "vacuum"
	index  = "index" // waits for all transactions that are open
	move   = "move"  // copies tables; it shares the slots of index
)

// kinds are the jobs of every queue, as fetchq.job_kinds lists them.
var kinds = map[string]kind{
	"mark_due": {call((*queue.Engine).MarkDue), "250 milliseconds", "30 seconds"},
	"orphans":  {call((*queue.Engine).Orphans), "500 milliseconds", "30 seconds"},
	"fold":     {call((*queue.Engine).Fold), "1 second", "15 minutes"}, // who writes wakes it
	"expire":   {call((*queue.Engine).Expire), "5 seconds", "15 minutes"},
	vacuum:     {call((*queue.Engine).Vacuum), "1 minute", "15 minutes"},
	index:      {call((*queue.Engine).Index), "1 minute", "15 minutes"},  // only queues have it whose limits by key changed
	move:       {call((*queue.Engine).MoveOn), "1 second", "15 minutes"}, // only those that go to another tablespace
}

const (
	quickSlots  = 4                     // jobs other than vacuums that run at the same moment
	slowSlots   = 1                     // vacuums, beside these, and as many builds of indexes: one may take hours
	stagger     = 5 * time.Millisecond  // at most, from the start of one of several jobs to the start of the next
	shortest    = 20 * time.Millisecond // between two looks
	longest     = time.Second           // between two looks for what others have woken
	failPause   = 2 * time.Second       // after a claim that failed
	keepEvery   = 3 * time.Second       // the claim of a job that runs is lengthened; it lasts for 10
	outcomeWait = 10 * time.Second      // to write the outcome of a job, also when the program stops
)

// New returns a loop over the queues of an engine.
func New(db *pgxpool.Pool, engine *queue.Engine, opt Options) *Loop {
	return &Loop{
		db: db, engine: engine, log: opt.Log, node: opt.Node, now: opt.Now, kinds: kinds,
		running: map[job]time.Time{}, signal: make(chan struct{}, 1), done: make(chan struct{}),
	}
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

// Stop ends the loop and interrupts the jobs that run; they are given back. It may be called more than once, and without Start.
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
	defer l.jobs.Wait()
	for {
		pause := failPause
		if _, err := l.runOnce(ctx); err == nil {
			pause = l.untilNext(ctx)
		} else if ctx.Err() == nil {
			l.log.Error("maintenance jobs cannot be claimed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-l.signal:
		case <-time.After(pause):
		}
	}
}

// job is one claimed row of fetchq.jobs.
type job struct {
	Queue string
	Kind  string
}

// runOnce lengthens the claims of jobs that have run for long, claims as many jobs as there are free slots, begins them, and
// returns how many there were. It does not wait for them: a slow one takes its slot and no more.
func (l *Loop) runOnce(ctx context.Context) (int, error) {
	if err := l.keep(ctx); err != nil {
		return 0, err
	}
	free := l.free()
	if free == (slots{}) {
		return 0, nil
	}
	rows, err := l.db.Query(ctx, `select queue, kind from fetchq.job_claim($1, $2, $3, p_indexes => $4)`, l.node, free.quick, free.vacuum, free.index)
	if err != nil {
		return 0, database.Error("claim maintenance jobs", err)
	}
	jobs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[job])
	if err != nil {
		return 0, database.Error("claim maintenance jobs", err)
	}
	for _, j := range jobs {
		if !l.begin(j) {
			continue
		}
		ended := make(chan struct{})
		l.jobs.Go(func() {
			defer close(ended)
			l.end(j, l.run(ctx, j))
		})
		select { // most jobs of an idle server end at once: one connection does them all
		case <-ended:
		case <-time.After(stagger):
		}
	}
	return len(jobs), nil
}

// slots are numbers of jobs: those that may take hours have slots of their own.
type slots struct{ quick, vacuum, index int }

// of is where a job has its slot.
func (s *slots) of(kind string) *int {
	switch kind {
	case vacuum:
		return &s.vacuum
	case index, move:
		return &s.index
	}
	return &s.quick
}

// free returns how many slots are free.
func (l *Loop) free() slots {
	l.mu.Lock()
	defer l.mu.Unlock()
	free := slots{quickSlots, slowSlots, slowSlots}
	for j := range l.running {
		*free.of(j.Kind)--
	}
	return free
}

// begin takes a slot. It returns false for a job whose claim ran out while it runs here: it goes on under the new claim.
func (l *Loop) begin(j job) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, runs := l.running[j]
	l.running[j] = l.now()
	return !runs
}

// end frees the slot of a job that runs again in next, and lets the loop look then where that is soon; at once where jobs
// may have been left for want of a slot.
func (l *Loop) end(j job, next time.Duration) {
	free := l.free()
	l.mu.Lock()
	delete(l.running, j)
	l.mu.Unlock()
	switch {
	case free.quick == 0 || *free.of(j.Kind) == 0:
		l.look()
	case next < longest:
		time.AfterFunc(max(next, shortest), l.look)
	}
}

// look lets the loop look for jobs before its time.
func (l *Loop) look() {
	select {
	case l.signal <- struct{}{}:
	default:
	}
}

// keep lengthens the claims of jobs that have run for long, so that only those of a node that died run out.
func (l *Loop) keep(ctx context.Context) error {
	now := l.now()
	var long []job
	var queues, kinds []string
	l.mu.Lock()
	for j, since := range l.running {
		if now.Sub(since) >= keepEvery {
			long, queues, kinds = append(long, j), append(queues, j.Queue), append(kinds, j.Kind)
		}
	}
	l.mu.Unlock()
	if long == nil {
		return nil
	}
	if _, err := l.db.Exec(ctx, `select fetchq.job_keep($1, $2, $3)`, l.node, queues, kinds); err != nil {
		return database.Error("keep the claims of maintenance jobs", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range long {
		if _, runs := l.running[j]; runs {
			l.running[j] = now
		}
	}
	return nil
}

// run runs one job, writes its outcome, and returns in how long it runs next. What a stop interrupts is given back at once.
func (l *Loop) run(ctx context.Context, j job) time.Duration {
	k, known := l.kinds[j.Kind]
	if !known {
		k = kind{run: unknown, every: "5 minutes", idle: "5 minutes"}
	}
	began := l.now()
	did, failed := k.run(ctx, l.engine, j.Queue)
	took := l.now().Sub(began)
	var failure *string
	again := &did.Again
	switch {
	case failed != nil && ctx.Err() != nil:
		k.every, failed = "0 seconds", nil // interrupted by Stop: for the next node that looks
	case failed != nil:
		text := failed.Error()
		failure = &text
	}
	if did.Again.IsZero() || failure != nil {
		again = nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeWait)
	defer cancel()
	var next *float64
	err := l.db.QueryRow(ctx, `select fetchq.job_done($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		j.Queue, j.Kind, l.node, float64(took.Microseconds())/1000, did.Items, failure, k.every, k.idle, again).Scan(&next)
	switch {
	case err != nil:
		l.log.Error("the outcome of a maintenance job cannot be written; its claim runs out", "queue", j.Queue, "kind", j.Kind, "error", err)
		return longest
	case next == nil:
		return longest // the queue was dropped meanwhile, and its jobs with it; or another node has the claim
	case failure != nil:
		l.log.Error("a maintenance job failed; it is tried again", "queue", j.Queue, "kind", j.Kind, "error", failed)
	}
	return seconds(*next)
}

// unknown is the job of a newer version that shares this database.
func unknown(context.Context, *queue.Engine, string) (queue.Upkeep, error) {
	return queue.Upkeep{}, nil
}

// untilNext returns how long to sleep until there is a job to claim for a slot that is free.
func (l *Loop) untilNext(ctx context.Context) time.Duration {
	free := l.free()
	if free.quick == 0 {
		return longest // the end of a job is told
	}
	var next *float64
	if err := l.db.QueryRow(ctx, `select fetchq.job_next($1, p_index => $2)`, free.vacuum > 0, free.index > 0).Scan(&next); err != nil || next == nil {
		return longest
	}
	return min(max(seconds(*next), shortest), longest)
}

// seconds turns what Postgres counts into a duration, a day at most.
func seconds(n float64) time.Duration {
	return time.Duration(min(n, 86_400) * float64(time.Second))
}
