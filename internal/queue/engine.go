package queue

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

// Options of an engine.
type Options struct {
	Log       *slog.Logger
	Node      string           // names this process among those on the same database
	ListenURL string           // where to LISTEN, when the pool's address is a transaction pooler; "": the pool's own
	Now       func() time.Time // this machine's clock, for throttles and polls only: what happens in a queue has the database's
}

// Engine is the queue engine of one process. Its methods are safe for concurrent use. Their errors are *errs.Error where
// the caller can act on them.
type Engine struct {
	db     *pgxpool.Pool
	log    *slog.Logger
	now    func() time.Time
	hub    *hub
	marks  *marks
	sweeps *sweeps
	peers  *peers
	states *states
	asks   *asks
	crew   *crew
	quiets *quiets
	node   string

	containedWait time.Duration // for a statement that looks for payloads by their index

	pushes   *merger[owned[Push], Result]
	picks    *merger[pickAsk, []Leased]
	resolves *merger[owned[Resolution], Result]
	extends  *merger[owned[Lease], ExtendResult]

	stop    context.CancelFunc
	stopped chan struct{} // closed when Stop begins: waiting picks answer at once
	once    sync.Once
	running sync.WaitGroup
}

// New returns an engine on a migrated database.
func New(db *pgxpool.Pool, opt Options) *Engine {
	e := &Engine{
		db: db, log: opt.Log, now: opt.Now,
		hub: newHub(opt.Now), marks: newMarks(opt.Now), sweeps: newSweeps(opt.Now), states: newStates(opt.Now),
		asks: newAsks(opt.Now), crew: newCrew(opt.Now), quiets: newQuiets(), node: opt.Node,
		containedWait: containedWait,
		stopped:       make(chan struct{}),
	}
	e.pushes = newMerger[owned[Push], Result](func(p owned[Push]) string { return p.item.Subject }, each, nil)
	e.picks = newMerger(func(pickAsk) string { return "" }, func(a pickAsk) int { return a.limit }, e.putBack)
	e.resolves = newMerger[owned[Resolution], Result](func(r owned[Resolution]) string { return r.item.Subject }, each, nil)
	e.extends = newMerger[owned[Lease], ExtendResult](func(l owned[Lease]) string { return l.item.Subject }, each, nil)
	e.peers = newPeers(e, opt.Node, opt.ListenURL)
	return e
}

// Start begins to listen to other nodes and to wake waiting picks. Without it everything works, but a wait is woken only by what
// this process does.
func (e *Engine) Start(ctx context.Context) error {
	ctx, e.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, loop := range []func(context.Context){e.hub.tick, e.peers.listen, e.peers.tell, e.writeAsks, e.writeCrews} {
		e.running.Go(func() { loop(ctx) })
	}
	return nil
}

// Stop makes waiting picks answer at once, and ends what Start began. It may be called more than once, and without Start.
func (e *Engine) Stop() {
	e.once.Do(func() {
		close(e.stopped)
		if e.stop != nil {
			e.stop()
		}
	})
	e.running.Wait()
}

var queueName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// CheckName refuses what cannot be a queue's name.
func CheckName(name string) error {
	if !queueName.MatchString(name) {
		return errs.Field("queue", "a queue's name is 1 to 40 of a-z, 0-9 and _, and begins with a letter")
	}
	return nil
}

// find refuses a name that no queue can have, and one of a queue that the calls of the context do not see, before it travels.
func find(ctx context.Context, name string) error {
	if !queueName.MatchString(name) {
		return &errs.Error{Code: errs.NotFound, Field: "queue", Message: "there is no such queue; a name is 1 to 40 of a-z, 0-9 and _"}
	}
	return See(ctx, name)
}

// table returns the quoted name of a queue's table, for statements that read it.
func table(queue, name string) string {
	return pgx.Identifier{"q_" + queue, name}.Sanitize()
}

// retry calls f until it does not end in a deadlock or a serialisation failure, five times at most.
func retry[T any](ctx context.Context, op string, f func() (T, error)) (T, error) {
	for try := 1; ; try++ {
		v, err := f()
		if err == nil || !database.Retryable(err) || try == 5 {
			return v, database.Error(op, err)
		}
		select {
		case <-ctx.Done():
			return v, database.Error(op, ctx.Err())
		case <-time.After(time.Duration(rand.IntN(20*try)) * time.Millisecond): //nolint:gosec // jitter
		}
	}
}

// query runs one statement and collects its rows, with retry.
func query[T any](ctx context.Context, e *Engine, op string, row pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	return retry(ctx, op, func() ([]T, error) {
		rows, err := e.db.Query(ctx, sql, args...)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, row)
	})
}

// queryRow is query for exactly one row.
func queryRow[T any](ctx context.Context, e *Engine, op string, row pgx.RowToFunc[T], sql string, args ...any) (T, error) {
	return retry(ctx, op, func() (T, error) {
		rows, err := e.db.Query(ctx, sql, args...)
		if err != nil {
			var none T
			return none, err
		}
		return pgx.CollectExactlyOneRow(rows, row)
	})
}
