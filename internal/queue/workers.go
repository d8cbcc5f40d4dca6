package queue

import (
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// Did is what a worker did in a queue in the minutes before it was seen last. Buckets and Counts are how long it held what it
// ended, by the scale of fetchq.timing_bucket; Sum, Low and High are milliseconds. It is known of leases that were handed out and ended
// at one node.
type Did struct {
	Over                  time.Duration // the time that the numbers stand for, up to 5 minutes
	Picked, Ended, Errors int64         // Errors are the rejections among what ended
	Buckets               []int16
	Counts                []int64
	Sum, Low, High        float64
}

// Holds are the documents of a queue that a worker holds.
type Holds struct {
	Documents           int64
	FirstEnd, LastEnd   time.Time // of its leases
	FirstPick, LastPick time.Time
}

// Post is a worker in a queue.
type Post struct {
	Queue  string
	SeenAt *time.Time // nil: no node saw it, and it is known by what it holds
	Did    Did
	Holds  Holds // without documents the dates are zero
}

// PerMin is how many documents a minute it picked; less than 10 seconds are taken for 10.
func (d Did) PerMin() float64 { return float64(d.Picked) / max(d.Over, 10*time.Second).Minutes() }

// ErrorShare is which share of what ended was rejected; false: nothing ended.
func (d Did) ErrorShare() (share float64, known bool) {
	return float64(d.Errors) / float64(max(d.Ended, 1)), d.Ended > 0
}

// add adds what was done elsewhere. Over stays.
func (d *Did) add(o Did) {
	d.Picked, d.Ended, d.Errors = d.Picked+o.Picked, d.Ended+o.Ended, d.Errors+o.Errors
	if len(o.Buckets) == 0 {
		return
	}
	if len(d.Buckets) == 0 {
		d.Low, d.High = o.Low, o.High
	}
	d.Sum, d.Low, d.High = d.Sum+o.Sum, min(d.Low, o.Low), max(d.High, o.High)
	counts := map[int16]int64{}
	for _, h := range []Did{*d, o} {
		for i, b := range h.Buckets {
			counts[b] += h.Counts[i]
		}
	}
	d.Buckets, d.Counts = slices.Sorted(maps.Keys(counts)), nil
	for _, b := range d.Buckets {
		d.Counts = append(d.Counts, counts[b])
	}
}

// WorkerState is how a worker stands, in one word.
type WorkerState string

// The states, those that need somebody first.
const (
	WorkerSilent  WorkerState = "silent"  // it holds documents and was not seen for long
	WorkerQuiet   WorkerState = "quiet"   // it is asked to go quiet
	WorkerWorking WorkerState = "working" // it holds documents
	WorkerWaiting WorkerState = "waiting" // it holds none, and was seen within Unseen
	WorkerGone    WorkerState = "gone"    // it holds none, and was not seen since
)

// WorkerStates are all states, those that need somebody first.
var WorkerStates = []WorkerState{WorkerSilent, WorkerQuiet, WorkerWorking, WorkerWaiting, WorkerGone}

// Unseen is how long a worker may not be seen until it counts as gone; where it holds documents, as silent, but not before half of the
// time has passed for which it has them: who extends leases does so more often.
const Unseen = 2 * time.Minute

// Worker is one worker in all queues. Its posts are in the order of queues.
type Worker struct {
	Name  string
	Posts []Post
	Quiet *Quiet // nil: it is not asked to go quiet
	State WorkerState
	Seen  time.Time // when it called last; where no node saw it, when it picked last
	Holds Holds     // in all queues
	Did   Did       // in all queues; Over is the longest of theirs
	// PicksPerMin is how many documents it picked a minute, in the minutes before it was seen last.
	PicksPerMin float64
}

// Workers are all workers that were seen in the last day or hold documents, by name, at AsOf.
type Workers struct {
	List    []Worker
	Unnamed int64    // documents that are held by workers that gave no name
	Partial []string // queues that have more active documents than were looked at, or are locked: what is held there is not all told
	Whole   bool     // what workers hold was read
	AsOf    time.Time
}

// Limits of the list.
const (
	holdsLimit = 10_000 // active documents of one queue that are looked at
	holdsWait  = 2 * time.Second
)

// HeldDocument is a document that a worker holds.
type HeldDocument struct {
	Queue, Subject     string
	Version, Priority  int
	Attempts           int
	PickedAt, LeaseEnd time.Time
	Lease              int64
}

// HeldBy returns up to limit documents of a queue that a worker holds, those whose leases end first in front. It looks at 10,000
// active ones, in that order. Errors: NotFound.
func (e *Engine) HeldBy(ctx context.Context, queue, worker string, limit int) ([]HeldDocument, error) {
	if err := find(ctx, queue); err != nil {
		return nil, err
	}
	return query(ctx, e, "read what a worker holds of "+queue, func(row pgx.CollectableRow) (d HeldDocument, err error) {
		d.Queue = queue
		err = row.Scan(&d.Subject, &d.Version, &d.Priority, &d.Attempts, &d.PickedAt, &d.Lease, &d.LeaseEnd)
		return d, err
	}, `select subject, version, priority, attempts, coalesce(picked_at, lease_expires_at), lease, lease_expires_at
		from fetchq.worker_docs($1, $2, $3)`, queue, worker, limit)
}

// Workers returns all workers that were seen in the last day or hold documents; what other nodes saw, as they wrote it up to a minute
// ago. Where the active documents cannot be read in 2 s, what workers hold is left out, and Whole is false.
func (e *Engine) Workers(ctx context.Context) (Workers, error) {
	var out Workers
	by, err := e.sightings(ctx, &out.AsOf)
	if err != nil {
		return out, err
	}
	e.readHolds(ctx, by, &out)
	quiet, err := e.quietNames(ctx)
	if err != nil {
		return out, err
	}
	for name, q := range quiet {
		if by[name] == nil {
			by[name] = &Worker{Name: name}
		}
		by[name].Quiet = &q
	}
	for _, w := range by {
		w.finish(out.AsOf)
		out.List = append(out.List, *w)
	}
	slices.SortFunc(out.List, func(a, b Worker) int { return strings.Compare(a.Name, b.Name) })
	return out.Seen(ctx), ctx.Err()
}

// post returns a worker's post in a queue.
func (w *Worker) post(queue string) *Post {
	for i := range w.Posts {
		if w.Posts[i].Queue == queue {
			return &w.Posts[i]
		}
	}
	w.Posts = append(w.Posts, Post{Queue: queue})
	return &w.Posts[len(w.Posts)-1]
}

// crewOf are workers by name.
type crewOf map[string]*Worker

func (c crewOf) post(name, queue string) *Post {
	if c[name] == nil {
		c[name] = &Worker{Name: name}
	}
	return c[name].post(queue)
}

// sighting is what one node saw of a worker in a queue.
type sighting struct {
	node string
	sight
}

// sightings reads what all nodes saw of workers: others as they wrote it, and this one as it knows it.
func (e *Engine) sightings(ctx context.Context, asOf *time.Time) (crewOf, error) {
	now := e.now()
	here := e.crew.all()
	known := make(map[post]bool, len(here))
	for _, g := range here {
		known[g.post] = true
	}
	rows, err := query(ctx, e, "read which workers were seen", func(r pgx.CollectableRow) (v sighting, err error) {
		var over pgtype.Interval
		err = r.Scan(&v.queue, &v.worker, &v.node, &v.seen, &over, &v.did.Picked, &v.did.Ended, &v.did.Errors, &v.did.Buckets, &v.did.Counts,
			&v.did.Sum, &v.did.Low, &v.did.High)
		v.did.Over = time.Duration(over.Microseconds) * time.Microsecond
		return v, err
	}, `
		select queue, worker, node, seen_at, over, picked, ended, errors, buckets, counts::bigint[], work_ms, low_ms, high_ms
		from fetchq.workers where seen_at > clock_timestamp() - interval '1 day'
		order by seen_at desc limit $1`, mostWorkerRows)
	if err != nil {
		return nil, err
	}
	if *asOf, err = queryRow(ctx, e, "read the time", pgx.RowTo[time.Time], `select clock_timestamp()`); err != nil {
		return nil, err
	}
	seen := map[post][]sight{}
	for _, r := range rows {
		if r.node != e.node || !known[r.post] {
			seen[r.post] = append(seen[r.post], r.sight)
		}
	}
	for _, g := range here {
		g.seen = asOf.Add(-max(now.Sub(g.seen), 0))
		seen[g.post] = append(seen[g.post], g)
	}
	by := crewOf{}
	for at, list := range seen {
		p := by.post(at.worker, at.queue)
		p.SeenAt, p.Did = together(list)
	}
	return by, nil
}

// together is what several nodes saw of one worker in a queue: in the minutes before any of them saw it last.
func together(list []sight) (*time.Time, Did) {
	var last time.Time
	for _, g := range list {
		if g.seen.After(last) {
			last = g.seen
		}
	}
	var all Did
	from, begin := last.Add(-crewMinutes*time.Minute), last
	for _, g := range list {
		share := 1.0 // of what it did, so much lies within these minutes
		if left := g.seen.Sub(from); left < g.did.Over {
			share = max(left.Seconds(), 0) / g.did.Over.Seconds()
		}
		if share == 0 {
			continue
		}
		d := g.did
		d.Picked, d.Ended, d.Errors = part(d.Picked, share), part(d.Ended, share), part(d.Errors, share)
		all.add(d)
		if at := g.seen.Add(-d.Over); at.Before(begin) {
			begin = at
		}
	}
	all.Over = min(last.Sub(begin), crewMinutes*time.Minute)
	return &last, all
}

func part(n int64, share float64) int64 { return int64(math.Round(float64(n) * share)) }

// readHolds adds what workers hold.
func (e *Engine) readHolds(ctx context.Context, by crewOf, out *Workers) {
	ctx, cancel := context.WithTimeout(ctx, holdsWait)
	defer cancel()
	type row struct {
		queue                                  string
		worker                                 *string
		held                                   *int64
		firstEnd, lastEnd, firstPick, lastPick pgtype.Timestamptz
		partial                                bool
	}
	rows, err := query(ctx, e, "read what workers hold", func(r pgx.CollectableRow) (v row, err error) {
		err = r.Scan(&v.queue, &v.worker, &v.held, &v.firstEnd, &v.lastEnd, &v.firstPick, &v.lastPick, &v.partial)
		return v, err
	}, `select * from fetchq.worker_holds($1)`, holdsLimit)
	if err != nil {
		e.log.Warn("what workers hold was not read", "error", err)
		return
	}
	out.Whole = true
	for _, r := range rows {
		if r.partial && !slices.Contains(out.Partial, r.queue) {
			out.Partial = append(out.Partial, r.queue)
		}
		switch {
		case r.held == nil:
		case r.worker == nil:
			out.Unnamed += *r.held
		default:
			by.post(*r.worker, r.queue).Holds = Holds{*r.held, r.firstEnd.Time, r.lastEnd.Time, r.firstPick.Time, r.lastPick.Time}
		}
	}
}

func (e *Engine) quietNames(ctx context.Context) (map[string]Quiet, error) {
	type row struct {
		name string
		Quiet
	}
	rows, err := query(ctx, e, "read which workers are quiet", func(r pgx.CollectableRow) (v row, err error) {
		err = r.Scan(&v.name, &v.Since, &v.By)
		return v, err
	}, `select worker, since, by from fetchq.quiets`)
	names := make(map[string]Quiet, len(rows))
	for _, r := range rows {
		names[r.name] = r.Quiet
	}
	return names, err
}

// In is the worker as it stands in some queues only, at a moment.
func (w Worker) In(sees func(queue string) bool, now time.Time) Worker {
	one := Worker{Name: w.Name, Quiet: w.Quiet}
	for _, p := range w.Posts {
		if sees(p.Queue) {
			one.Posts = append(one.Posts, p)
		}
	}
	one.finish(now)
	return one
}

// finish sums up the posts of a worker, and says how it stands.
func (w *Worker) finish(now time.Time) {
	slices.SortFunc(w.Posts, func(a, b Post) int { return strings.Compare(a.Queue, b.Queue) })
	for _, p := range w.Posts {
		if p.SeenAt != nil && p.SeenAt.After(w.Seen) {
			w.Seen = *p.SeenAt
		}
		if p.Holds.LastPick.After(w.Seen) {
			w.Seen = p.Holds.LastPick
		}
		w.Holds.add(p.Holds)
		w.Did.add(p.Did)
		w.Did.Over = max(w.Did.Over, p.Did.Over)
		w.PicksPerMin += p.Did.PerMin()
	}
	w.State = w.state(now)
}

func (h *Holds) add(o Holds) {
	if o.Documents == 0 {
		return
	}
	if h.Documents == 0 {
		*h = o
		return
	}
	h.Documents += o.Documents
	earliest(&h.FirstEnd, o.FirstEnd)
	earliest(&h.FirstPick, o.FirstPick)
	if o.LastEnd.After(h.LastEnd) {
		h.LastEnd = o.LastEnd
	}
	if o.LastPick.After(h.LastPick) {
		h.LastPick = o.LastPick
	}
}

func earliest(a *time.Time, b time.Time) {
	if b.Before(*a) {
		*a = b
	}
}

func (w *Worker) state(now time.Time) WorkerState {
	unseen := now.Sub(w.Seen)
	switch held := w.Holds.Documents > 0; {
	case held && unseen > max(Unseen, w.Holds.FirstEnd.Sub(w.Seen)/2):
		return WorkerSilent
	case w.Quiet != nil:
		return WorkerQuiet
	case held:
		return WorkerWorking
	case unseen <= Unseen:
		return WorkerWaiting
	}
	return WorkerGone
}
