package queue

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// Limits of what nodes write of workers.
const (
	mostWorkerRows = 10_000 // a worker in a queue at a node; the newest are kept
	writeCrewLeast = 5 * time.Second
	writeCrewMost  = time.Minute
	crewRate       = 50 // rows a second that one node writes: under a held snapshot each leaves a dead one behind
	forgetEvery    = time.Minute
)

func comparePosts(a, b post) int {
	return cmp.Or(strings.Compare(a.worker, b.worker), strings.Compare(a.queue, b.queue))
}

// writeCrews writes what workers did until ctx ends, and then once more.
func (e *Engine) writeCrews(ctx context.Context) {
	forgot := e.now()
	for pause := writeCrewLeast; ctx.Err() == nil; {
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			continue
		case <-timer.C:
		}
		n, err := e.WriteCrew(ctx)
		if err == nil && e.now().Sub(forgot) > forgetEvery {
			forgot = e.now()
			_, err = e.db.Exec(ctx, `select fetchq.worker_forget($1)`, mostWorkerRows)
		}
		if err != nil && ctx.Err() == nil {
			e.log.Warn("what workers did was not written; it is tried again", "error", err)
		}
		pause = min(max(writeCrewLeast, time.Duration(n)*time.Second/crewRate), writeCrewMost)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	if _, err := e.WriteCrew(last); err != nil {
		e.log.Warn("what workers did last was not written", "error", err)
	}
}

// WriteCrew writes what workers did at this node, as far as it is new, and returns of how many.
func (e *Engine) WriteCrew(ctx context.Context) (int, error) {
	list := e.crew.news()
	if len(list) == 0 {
		return 0, nil
	}
	n := len(list)
	queues, workers, buckets, counts := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	ages, overs := make([]pgtype.Interval, n), make([]pgtype.Interval, n)
	picked, ended, failed := make([]int64, n), make([]int64, n), make([]int64, n)
	sums, lows, highs := make([]float64, n), make([]float64, n), make([]float64, n)
	for i, g := range list {
		queues[i], workers[i], buckets[i], counts[i] = g.queue, g.worker, arrayText(g.did.Buckets), arrayText(g.did.Counts)
		ages[i], overs[i] = microseconds(max(e.now().Sub(g.seen), 0)), microseconds(g.did.Over)
		picked[i], ended[i], failed[i] = g.did.Picked, g.did.Ended, g.did.Errors
		sums[i], lows[i], highs[i] = g.did.Sum, g.did.Low, g.did.High
	}
	_, err := retry(ctx, "write what workers did", func() (any, error) {
		return e.db.Exec(ctx, `
			insert into fetchq.workers (queue, worker, node, seen_at, over, picked, ended, errors, buckets, counts, work_ms, low_ms, high_ms)
			select u.queue, u.worker, $1, clock_timestamp() - u.age, u.over, u.picked, u.ended, u.errors, u.buckets::smallint[], u.counts::integer[],
				u.sum, u.low, u.high
			from unnest($2::text[], $3::text[], $4::interval[], $5::interval[], $6::bigint[], $7::bigint[], $8::bigint[], $9::text[], $10::text[],
					$11::float8[], $12::float8[], $13::float8[])
				u (queue, worker, age, over, picked, ended, errors, buckets, counts, sum, low, high)
				join fetchq.queues q on q.name = u.queue
			order by u.worker collate "C", u.queue collate "C"
			on conflict (worker, queue, node) do update set seen_at = excluded.seen_at, over = excluded.over, picked = excluded.picked,
				ended = excluded.ended, errors = excluded.errors, buckets = excluded.buckets, counts = excluded.counts,
				work_ms = excluded.work_ms, low_ms = excluded.low_ms, high_ms = excluded.high_ms`,
			e.node, queues, workers, ages, overs, picked, ended, failed, buckets, counts, sums, lows, highs)
	})
	if err != nil {
		e.crew.again(list)
		return 0, err
	}
	return n, nil
}

// arrayText is an array as SQL reads it: rows of one array cannot be arrays of different lengths.
func arrayText[N int16 | int64](list []N) string {
	text := []byte{'{'}
	for i, n := range list {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, int64(n), 10)
	}
	return string(append(text, '}'))
}

func microseconds(d time.Duration) pgtype.Interval {
	return pgtype.Interval{Microseconds: d.Microseconds(), Valid: true}
}

// WorkersOf tells how many workers a queue has, and when one asked it for documents last.
type WorkersOf struct {
	Seen    int        // workers with a name that were seen in it within Unseen
	AskedAt *time.Time // nil: nobody is known to have asked
}

// WorkerCounts are the workers of all queues: what other nodes saw, as they wrote it up to a minute ago.
type WorkerCounts struct {
	ByQueue map[string]WorkersOf
	Seen    int // in any queue
}

// Of are the workers of a queue; nil: nothing is known of any.
func (c WorkerCounts) Of(queue string) *WorkersOf {
	if c.ByQueue == nil {
		return nil
	}
	w := c.ByQueue[queue]
	return &w
}

// WorkerCounts counts the workers of each queue. It reads no table of a queue.
func (e *Engine) WorkerCounts(ctx context.Context) (WorkerCounts, error) {
	type row struct {
		queue string
		names []string
		asked *time.Time
	}
	rows, err := query(ctx, e, "count workers", func(r pgx.CollectableRow) (v row, err error) {
		err = r.Scan(&v.queue, &v.names, &v.asked)
		return v, err
	}, `
		select coalesce(w.queue, a.queue), coalesce(w.names, '{}'), a.asked_at
		from (
			select queue, array_agg(distinct worker) as names from fetchq.workers
			where seen_at > clock_timestamp() - $1::interval group by queue
		) w full join (select queue, max(asked_at) as asked_at from fetchq.asks group by queue) a on a.queue = w.queue`, microseconds(Unseen))
	if err != nil {
		return WorkerCounts{}, err
	}
	out := WorkerCounts{ByQueue: make(map[string]WorkersOf, len(rows))}
	posts, names := map[post]struct{}{}, map[string]struct{}{}
	for _, r := range rows {
		out.ByQueue[r.queue] = WorkersOf{AskedAt: r.asked}
		for _, name := range r.names {
			posts[post{r.queue, name}] = struct{}{}
		}
	}
	now := e.now()
	for _, g := range e.crew.all() {
		if now.Sub(g.seen) <= Unseen {
			posts[g.post] = struct{}{}
		}
	}
	for queue, at := range e.asks.byQueue() {
		if v := out.ByQueue[queue]; v.AskedAt == nil || v.AskedAt.Before(at) {
			out.ByQueue[queue] = WorkersOf{AskedAt: &at}
		}
	}
	for p := range posts {
		v := out.ByQueue[p.queue]
		v.Seen++
		out.ByQueue[p.queue] = v
		names[p.worker] = struct{}{}
	}
	out.Seen = len(names)
	return out, nil
}

// knowsWorker says whether a worker was seen in the last day, or holds a document.
func (e *Engine) knowsWorker(ctx context.Context, name string) (bool, error) {
	for _, g := range e.crew.all() {
		if g.worker == name {
			return true, nil
		}
	}
	return queryRow(ctx, e, "look for a worker", pgx.RowTo[bool], `
		select exists (select from fetchq.workers where worker = $1) or exists (select from fetchq.quiets where worker = $1)
			or exists (select from fetchq.worker_holds($2) where worker = $1)`, name, holdsLimit)
}
