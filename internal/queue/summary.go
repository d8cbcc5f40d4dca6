package queue

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Events are counts of what has happened in a queue since it was made; a truncate leaves them. Logs has the Errors as well.
type Events struct {
	Entered, Picked, Completed, Rescheduled, Rejected, Orphaned, Killed, Dropped, Forwarded, Errors, Logs int64
}

// Summary is one queue on a page over many, as its last fold saw it at AsOf: at most 2 s old where something happens.
type Summary struct {
	Name        string
	CreatedAt   time.Time
	Paused      bool
	PauseReason *string
	PausedUntil *time.Time
	PauseKind   PauseKind // "": it is not paused
	MaxAttempts int
	Counts      Counts
	Events      Events
	OldestDueAt *time.Time // since when the document waits that has been due longest; nil: none is due
	LastErrorAt *time.Time // no error that was folded is younger; nil: there was none, or a truncate took the lines
	AsOf        time.Time
}

// VersionStanding is how one payload version of a queue stands.
type VersionStanding struct {
	Version int
	Counts  Counts
	AskedAt *time.Time // when a worker asked for this version last, as far as nodes have told; nil: nobody did
	AskedBy *string    // that worker
	Unasked bool       // documents are pending, and for 10 minutes nobody asked for them
	Pause   *Pause     // of this version alone
}

// The sums over rows c of counters that Counts.targets and Events.targets read.
const (
	sumOfCounts = `coalesce(sum(c.planned), 0)::bigint, coalesce(sum(c.pending), 0)::bigint, coalesce(sum(c.active), 0)::bigint,
		coalesce(sum(c.completed), 0)::bigint, coalesce(sum(c.killed), 0)::bigint`
	sumOfEvents = `coalesce(sum(c.ev_entered), 0)::bigint, coalesce(sum(c.ev_picked), 0)::bigint, coalesce(sum(c.ev_completed), 0)::bigint,
		coalesce(sum(c.ev_rescheduled), 0)::bigint, coalesce(sum(c.ev_rejected), 0)::bigint, coalesce(sum(c.ev_orphaned), 0)::bigint,
		coalesce(sum(c.ev_killed), 0)::bigint, coalesce(sum(c.ev_dropped), 0)::bigint, coalesce(sum(c.ev_forwarded), 0)::bigint,
		coalesce(sum(c.ev_errors), 0)::bigint, coalesce(sum(c.ev_logs), 0)::bigint`
)

func (c *Counts) targets() []any {
	return []any{&c.Planned, &c.Pending, &c.Active, &c.Completed, &c.Killed}
}

func (v *Events) targets() []any {
	return []any{
		&v.Entered, &v.Picked, &v.Completed, &v.Rescheduled, &v.Rejected, &v.Orphaned, &v.Killed, &v.Dropped, &v.Forwarded, &v.Errors, &v.Logs,
	}
}

// Summaries returns all queues in the order of their names. It is one statement over the register and the folded totals and
// reads no table of a queue: it costs the same however full, busy or locked the queues are.
func (e *Engine) Summaries(ctx context.Context) ([]Summary, error) {
	list, err := query(ctx, e, "sum up the queues", scanSummary, `
		with total as (
			select q.name, `+sumOfCounts+`, `+sumOfEvents+`
			from fetchq.queues q left join fetchq.counters c on c.queue = q.name
			group by q.name
		)
		select total.*, q.created_at, fetchq.is_paused(q, clock_timestamp()), q.pause_reason, q.paused_until, q.pause_kind, q.max_attempts,
			s.oldest_due_at, s.last_error_at, coalesce(s.as_of, q.created_at)
		from total join fetchq.queues q on q.name = total.name left join fetchq.queue_states s on s.queue = total.name
		order by total.name`)
	return SeenSummaries(ctx, list), err
}

func scanSummary(row pgx.CollectableRow) (s Summary, err error) {
	targets := append([]any{&s.Name}, s.Counts.targets()...)
	targets = append(targets, s.Events.targets()...)
	err = row.Scan(append(targets, &s.CreatedAt, &s.Paused, &s.PauseReason, &s.PausedUntil, &s.PauseKind, &s.MaxAttempts,
		&s.OldestDueAt, &s.LastErrorAt, &s.AsOf)...)
	if !s.Paused { // a pause that is over
		s.PauseReason, s.PausedUntil, s.PauseKind = nil, nil, ""
	}
	return s, err
}

// Standing is one queue with all that its counters say, at one moment: AsOf of the queue.
type Standing struct {
	Queue
	Versions []VersionStanding // the lowest first; one without documents is left out, but of a queue without any there is version 0
	Events   Events
}

// Standing returns how a queue stands, exactly. It reads the counters once, for a page that shows all of them. Errors: NotFound.
func (e *Engine) Standing(ctx context.Context, name string) (Standing, error) {
	if err := find(ctx, name); err != nil {
		return Standing{}, err
	}
	s, err := queryRow(ctx, e, "read how the queue "+name+" stands", scanStanding, `
		select `+queueColumns+`, clock_timestamp(), fetchq.queue_oldest_due(name), t.*
		from fetchq.queue_find($1) q, lateral (
			select `+sumOfCounts+`, `+sumOfEvents+`,
				array_agg(array[c.version, c.planned, c.pending, c.active, c.completed, c.killed] order by c.version)
					filter (where (c.planned, c.pending, c.active, c.completed, c.killed) <> (0, 0, 0, 0, 0))
			from fetchq.queue_counters($1) c
		) t`, name)
	if err == nil {
		err = e.askers(ctx, &s)
	}
	return s, err
}

// askers fills in who asked last for each version, and whether one has no workers: of a version that nobody is known to have asked
// for, the first document in line tells since when it waits.
func (e *Engine) askers(ctx context.Context, s *Standing) error {
	versions := make([]int, len(s.Versions))
	for i, v := range s.Versions {
		versions[i] = v.Version
	}
	type known struct {
		at, due *time.Time
		worker  *string
	}
	rows, err := query(ctx, e, "read who works on "+s.Name, func(row pgx.CollectableRow) (k known, err error) {
		err = row.Scan(&k.at, &k.worker, &k.due)
		return k, err
	}, `select a.asked_at, a.worker, d.next_iteration
		from unnest($2::integer[]) with ordinality v (version, ord)
			left join fetchq.asks a on a.queue = $1 and a.version = v.version
			left join lateral (
				select next_iteration from `+table(s.Name, "docs")+` where status = 1 and version = v.version
				order by priority desc, next_iteration, seq limit 1) d on true
		order by v.ord`, s.Name, versions)
	if err != nil {
		return err
	}
	for i, k := range rows {
		v := &s.Versions[i]
		v.AskedAt, v.AskedBy = k.at, k.worker
		if here, asked := e.asks.of(spot{s.Name, v.Version}); asked {
			at := s.AsOf.Add(-max(e.now().Sub(here.at), 0))
			v.AskedAt, v.AskedBy = &at, optional(here.worker)
		}
		since := v.AskedAt
		if since == nil {
			since = k.due
		}
		v.Unasked = v.Counts.Pending > 0 && v.Counts.Active == 0 && since != nil && s.AsOf.Sub(*since) > Unasked
		if p := pauseOf(s.Pauses, v.Version); p != nil && p.Version != nil {
			v.Pause = p
		}
	}
	return nil
}

func scanStanding(row pgx.CollectableRow) (s Standing, err error) {
	var set settingsRow
	var versions [][]int64 // as the statement lists them; null: none has documents
	targets := append(s.targets(&set), s.Events.targets()...)
	if err := row.Scan(append(targets, &versions)...); err != nil {
		return s, err
	}
	if err := s.finish(set); err != nil {
		return s, err
	}
	for _, v := range versions {
		n := Counts{Planned: v[1], Pending: v[2], Active: v[3], Completed: v[4], Killed: v[5]}
		s.Versions = append(s.Versions, VersionStanding{Version: int(v[0]), Counts: n})
	}
	if s.Versions == nil {
		s.Versions = []VersionStanding{{}}
	}
	return s, nil
}
