package audit

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/time/rate"

	"github.com/fetchq/server/internal/database"
)

// Options of a log.
type Options struct {
	Log *slog.Logger
	Now func() time.Time // this machine's clock, for what is counted; a line has the database's
}

// Bounds of what is counted. Whoever repeats a thing writes a line at once and then one a minute; whoever does ever different ones is
// counted in one line for all of that kind when his bucket is empty. So strangers write some 15,000 lines a day at most, a node.
const (
	flushEvery = 10 * time.Second
	window     = time.Minute
	mostKeys   = 1000
	lineASec   = 10.0 / 60
	linesAtOne = 200
	writeWait  = 5 * time.Second
	trimEvery  = time.Hour
	trimBatch  = 10_000
)

// Log writes what is no part of a transaction of ours, counts what is repeated, and removes what is kept no longer. Its methods are
// safe for concurrent use, and do nothing on nil.
type Log struct {
	Options
	db *pgxpool.Pool

	mu      sync.Mutex
	counted map[key]*count
	buckets map[bool]*rate.Limiter // of those who have shown who they are, and of strangers
	trimmed time.Time              // only the loop's

	once sync.Once
	stop context.CancelFunc
	done chan struct{}
}

// key is what counts as the same thing again.
type key struct {
	actor                         Actor
	action                        Action
	target, code, address, others string
}

type count struct {
	entry Entry
	since time.Time
	times int // since the last line
}

// New returns the log of a migrated database.
func New(db *pgxpool.Pool, opt Options) *Log {
	return &Log{
		Options: opt, db: db, counted: map[key]*count{}, done: make(chan struct{}),
		buckets: map[bool]*rate.Limiter{true: rate.NewLimiter(lineASec, linesAtOne), false: rate.NewLimiter(lineASec, linesAtOne)},
	}
}

// Start writes what was counted, and trims, until Stop.
func (l *Log) Start(ctx context.Context) error {
	ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(l.done)
		tick := time.NewTicker(flushEvery)
		defer tick.Stop()
		for {
			if err := l.runOnce(ctx); err != nil && ctx.Err() == nil {
				l.Log.Error("the audit log cannot be kept", "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return nil
}

// Stop writes what is counted until now. It may be called more than once, and without Start.
func (l *Log) Stop() {
	l.once.Do(func() {
		if l.stop == nil {
			close(l.done)
			return
		}
		l.stop()
	})
	<-l.done
	ctx, cancel := context.WithTimeout(context.Background(), writeWait)
	defer cancel()
	if err := l.flush(ctx, 0); err != nil {
		l.Log.Error("what was counted for the audit log is lost", "error", err)
	}
}

// runOnce writes what was counted for long enough, and removes old lines where that is due.
func (l *Log) runOnce(ctx context.Context) error {
	if err := l.flush(ctx, window); err != nil {
		return err
	}
	if l.Now().Sub(l.trimmed) < trimEvery {
		return nil
	}
	n, err := l.trim(ctx)
	if err == nil && n < trimBatch {
		l.trimmed = l.Now()
	}
	return err
}

// Done writes a line of what was done just now, by a call of the engine. It does not fail with it: the thing is done. What cannot
// be written is in the program's log.
func (l *Log) Done(ctx context.Context, e Entry) {
	if l == nil {
		return
	}
	t := From(ctx)
	e = t.fill(e)
	t.setWritten()
	l.write(ctx, e)
}

func (l *Log) write(ctx context.Context, e Entry) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeWait)
	defer cancel()
	if err := insert(ctx, l.db, e); err != nil {
		l.Log.Error("a line of the audit log cannot be written", "error", err, "actor_kind", e.Actor.Kind, "actor", e.Actor.Name,
			"action", e.Action, "target", e.Target, "refused", e.Refused, "address", e.Address, "request_id", e.RequestID)
	}
}

// Count writes a line of what may come again and again: at once the first time, then how often it came, once a minute.
func (l *Log) Count(ctx context.Context, e Entry) {
	if l == nil {
		return
	}
	t := From(ctx)
	e = t.fill(e)
	t.setWritten()
	if l.first(e) {
		l.write(ctx, e)
	}
}

// first counts an entry, and says whether it is one that nobody counts yet.
func (l *Log) first(e Entry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := key{actor: e.Actor, action: e.Action, target: e.Target, code: e.Refused, address: e.Address}
	if c := l.counted[k]; c != nil {
		c.times++
		return false
	}
	now := l.Now()
	known := e.Actor.Kind != Nobody
	if len(l.counted) < mostKeys && l.buckets[known].AllowN(now, 1) {
		e.Details, e.RequestID = nil, "" // those of the first say nothing of the others
		l.counted[k] = &count{entry: e, since: now}
		return true
	}
	rest := key{actor: Actor{Kind: e.Actor.Kind}, action: e.Action, code: e.Refused, others: "others"}
	if l.counted[rest] == nil {
		l.counted[rest] = &count{since: now, entry: Entry{
			Actor: rest.actor, Action: e.Action, Refused: e.Refused, Details: map[string]any{"various": "too many different ones to tell each"},
		}}
	}
	l.counted[rest].times++
	return false
}

// flush writes how often what was counted for some time came again. What cannot be written goes on being counted.
func (l *Log) flush(ctx context.Context, age time.Duration) error {
	for {
		e, n, k := l.due(age)
		if n == 0 {
			return nil
		}
		e.Times = n
		if err := insert(ctx, l.db, e); err != nil {
			l.again(k, e, n)
			return err
		}
	}
}

// due takes one that is to be written from what is counted, and forgets those that did not come again.
func (l *Log) due(age time.Duration) (Entry, int, key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Now()
	for k, c := range l.counted {
		if now.Sub(c.since) < age {
			continue
		}
		if c.times == 0 {
			delete(l.counted, k)
			continue
		}
		n := c.times
		c.times, c.since = 0, now
		if age == 0 {
			delete(l.counted, k)
		}
		return c.entry, n, k
	}
	return Entry{}, 0, key{}
}

func (l *Log) again(k key, e Entry, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.counted[k]; c != nil {
		c.times += n
		return
	}
	l.counted[k] = &count{entry: e, since: l.Now(), times: n}
}

// trim removes a batch of lines that are older than what the setting says.
func (l *Log) trim(ctx context.Context) (n int64, err error) {
	keep, err := l.Keep(ctx)
	if err != nil || keep == 0 {
		return 0, err
	}
	err = l.db.QueryRow(ctx, `select fetchq_audit.trim(make_interval(days => $1), $2)`, keep, trimBatch).Scan(&n)
	return n, database.Error("remove old lines of the audit log", err)
}
