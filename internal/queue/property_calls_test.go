package queue_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

// calls are the calls of the engine that a property makes: as SQL functions at a moment of the test's own choice, or
// through the Go engine in real time.
type calls interface {
	push(ctx context.Context, q string, docs []queue.Push, policy queue.OnConflict) ([]queue.Result, error)
	add(ctx context.Context, q, key string, docs []queue.Push, policy queue.OnConflict) ([]queue.Result, error)
	pick(ctx context.Context, q string, p queue.PickParams) ([]queue.Leased, error)
	settle(ctx context.Context, q string, items []queue.Resolution, leased bool) ([]queue.Result, error)
	bulk(ctx context.Context, q string, r bulk) (bulkResult, error)
	once(ctx context.Context, q, key string, item queue.Resolution) ([]queue.Result, error)
	extend(ctx context.Context, q string, leases []queue.Lease, lock time.Duration, progress string) ([]queue.ExtendResult, error)
	note(ctx context.Context, q string, lines []queue.NewLog, worker string) error
	upkeep(ctx context.Context, q, job string) error
	put(ctx context.Context, q string, settings json.RawMessage) error
	drop(ctx context.Context, q string) error
	truncate(ctx context.Context, q string, logs bool) error
	pause(ctx context.Context, q string, p pause, version int) error // -1: all of the queue
	resume(ctx context.Context, q string, version int) error
}

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// sqlCalls calls the SQL functions at the moment now.
type sqlCalls struct {
	db  querier
	now time.Time
}

func (s sqlCalls) push(ctx context.Context, q string, docs []queue.Push, policy queue.OnConflict) ([]queue.Result, error) {
	subjects := make([]string, len(docs))
	a := newFields(len(docs))
	for i, d := range docs {
		subjects[i] = d.Subject
		a.set(i, d.Payload, d.Version, d.Priority, d.Next)
	}
	return collect(ctx, s.db, scanResultRow, `select subject, outcome, status, version, priority, next_iteration
		from fetchq.doc_push_many($1, $2, $3, $4, $5, $6, $7, $8, p_now => $9, p_by => $10) order by ord`,
		q, subjects, a.payloads, a.versions, a.priorities, a.dates, a.delays, policy, s.now, bys(subjects))
}

func (s sqlCalls) add(ctx context.Context, q, key string, docs []queue.Push, policy queue.OnConflict) ([]queue.Result, error) {
	subjects := make([]*string, len(docs))
	a := newFields(len(docs))
	for i, d := range docs {
		subjects[i] = text(d.Subject)
		a.set(i, d.Payload, d.Version, d.Priority, d.Next)
	}
	return collect(ctx, s.db, scanResultRow, `select subject, outcome, status, version, priority, next_iteration
		from fetchq.doc_append_many($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) order by ord`,
		q, a.payloads, a.versions, a.priorities, a.dates, a.delays, text(key), subjects, policy, s.now, []string{caller})
}

func (s sqlCalls) pick(ctx context.Context, q string, p queue.PickParams) ([]queue.Leased, error) {
	return collect(ctx, s.db, func(row pgx.CollectableRow) (l queue.Leased, err error) {
		err = row.Scan(&l.Subject, &l.Payload, &l.Version, &l.Priority, &l.Attempts, &l.Iterations, &l.CreatedAt, &l.LastIteration,
			&l.Lease, &l.ExpiresAt)
		return l, err
	}, `select subject, payload, version, priority, attempts, iterations, created_at, last_iteration, lease, lease_expires_at
		from fetchq.doc_pick_many($1, $2, $3, $4, $5, $6, p_now => $7, p_by => $8)`,
		q, p.Version, p.Limit, span(p.Lock), p.Worker, text(p.IdempotencyKey), s.now, []string{caller})
}

func (s sqlCalls) settle(ctx context.Context, q string, items []queue.Resolution, leased bool) ([]queue.Result, error) {
	return s.settleUnder(ctx, q, "", items, leased)
}

func (s sqlCalls) once(ctx context.Context, q, key string, item queue.Resolution) ([]queue.Result, error) {
	return s.settleUnder(ctx, q, key, []queue.Resolution{item}, false)
}

func (s sqlCalls) settleUnder(ctx context.Context, q, key string, items []queue.Resolution, leased bool) ([]queue.Result, error) {
	n := len(items)
	a := newFields(n)
	subjects, leases, actions, messages := make([]string, n), make([]int64, n), make([]string, n), make([]*string, n)
	retries, toQueues, thens := make([]*bool, n), make([]*string, n), make([]*string, n)
	for i, r := range items {
		subjects[i], leases[i], actions[i], messages[i] = r.Subject, r.Lease, r.Action, text(r.Message)
		retries[i], toQueues[i], thens[i] = r.Retry, text(r.ToQueue), text(r.Then)
		a.set(i, r.Payload, r.Version, r.Priority, r.Next)
	}
	if leased {
		return collect(ctx, s.db, scanResultRow, `select subject, outcome, status, version, priority, next_iteration
			from fetchq.doc_resolve_many($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, p_retries => $11, p_to_queues => $12, p_thens => $13,
				p_now => $14, p_by => $15) order by ord`,
			q, subjects, leases, actions, a.dates, a.delays, a.payloads, a.priorities, given(a.versions), given(messages), given(retries),
			given(toQueues), given(thens), s.now, bys(subjects))
	}
	return collect(ctx, s.db, scanResultRow, `select subject, outcome, status, version, priority, next_iteration
		from fetchq.doc_act_many($1, $2, $3, $4, $5, $6, $7, $8, $9, p_to_queues => $10, p_thens => $11, p_now => $12, p_by => $13,
			p_key => $14) order by ord`,
		q, subjects, actions, a.dates, a.delays, a.payloads, a.priorities, a.versions, messages, toQueues, thens, s.now, bys(subjects), text(key))
}

func (s sqlCalls) extend(ctx context.Context, q string, leases []queue.Lease, lock time.Duration, progress string) ([]queue.ExtendResult, error) {
	subjects, tokens := make([]string, len(leases)), make([]int64, len(leases))
	for i, l := range leases {
		subjects[i], tokens[i] = l.Subject, l.Lease
	}
	return collect(ctx, s.db, func(row pgx.CollectableRow) (r queue.ExtendResult, err error) {
		var version *int
		var worker *string
		if err = row.Scan(&r.Subject, &r.Outcome, &r.ExpiresAt, &version, &worker); version != nil {
			r.Version = *version
		}
		if worker != nil {
			r.Worker = *worker
		}
		return r, err
	}, `select subject, outcome, lease_expires_at, version, worker from fetchq.doc_extend_many($1, $2, $3, $4, $5, p_now => $6, p_by => $7) order by ord`,
		q, subjects, tokens, span(lock), text(progress), s.now, bys(subjects))
}

func (s sqlCalls) note(ctx context.Context, q string, lines []queue.NewLog, worker string) error {
	subjects, messages := make([]string, len(lines)), make([]string, len(lines))
	for i, l := range lines {
		subjects[i], messages[i] = l.Subject, l.Message
	}
	return s.exec(ctx, `select fetchq.log_add_many($1, 0, $2, $3, p_worker => $4, p_now => $5)`, q, subjects, messages, worker, s.now)
}

func (s sqlCalls) upkeep(ctx context.Context, q, job string) error {
	switch job {
	case "fold", "expire", "orphans", "mark_due":
		return s.exec(ctx, fmt.Sprintf(`select fetchq.mnt_%s($1, p_now => $2)`, job), q, s.now)
	case "recount":
		return s.exec(ctx, `select fetchq.queue_recount($1)`, q)
	case "index":
		plan, err := collect(ctx, s.db, pgx.RowTo[string], `select * from fetchq.key_plan($1)`, q)
		for _, statement := range append(plan, `select fetchq.key_done('`+q+`')`) {
			if err == nil {
				err = s.exec(ctx, statement)
			}
		}
		return err
	case "attach": // to what a queue is that was put back with Postgres's own tools
		if err := s.upkeep(ctx, q, "fold"); err != nil {
			return err
		}
		for _, table := range []string{"queues where name", "counters where queue", "queue_states where queue", "jobs where queue"} {
			if err := s.exec(ctx, fmt.Sprintf(`delete from fetchq.%s = $1`, table), q); err != nil {
				return err
			}
		}
		return s.exec(ctx, `select fetchq.queue_attach($1, p_now => $2)`, q, s.now)
	}
	return fmt.Errorf("there is no job %s", job)
}

func (s sqlCalls) put(ctx context.Context, q string, settings json.RawMessage) error {
	return s.exec(ctx, `select fetchq.queue_put($1, $2, $3)`, q, settings, s.now)
}

func (s sqlCalls) drop(ctx context.Context, q string) error {
	return s.exec(ctx, `select fetchq.queue_drop($1)`, q)
}

func (s sqlCalls) truncate(ctx context.Context, q string, logs bool) error {
	return s.exec(ctx, `select fetchq.queue_truncate($1, $2, $3, $4)`, q, logs, []string{caller}, s.now)
}

func (s sqlCalls) pause(ctx context.Context, q string, p pause, version int) error {
	return s.exec(ctx, `select fetchq.queue_pause($1, 'a test', $2, p_kind => $3, p_version => $4, p_now => $5)`, q,
		pgtype.Timestamptz{Time: p.until, Valid: !p.until.IsZero()}, p.kind(), orAll(version), s.now)
}

// kind is the word for what the pause stops.
func (p pause) kind() queue.PauseKind {
	if p.atOnce {
		return queue.AtOnce
	}
	return queue.Drain
}

// orAll is nil for all versions.
func orAll(version int) *int {
	if version < 0 {
		return nil
	}
	return &version
}

func (s sqlCalls) resume(ctx context.Context, q string, version int) error {
	return s.exec(ctx, `select fetchq.queue_resume($1, $2)`, q, orAll(version))
}

func (s sqlCalls) exec(ctx context.Context, sql string, args ...any) error {
	_, err := s.db.Exec(ctx, sql, args...)
	return err
}

// fields are the arrays of what items may have.
type fields struct {
	payloads             [][]byte
	versions, priorities []*int
	dates                []pgtype.Timestamptz
	delays               []pgtype.Interval
}

func newFields(n int) fields {
	return fields{make([][]byte, n), make([]*int, n), make([]*int, n), make([]pgtype.Timestamptz, n), make([]pgtype.Interval, n)}
}

func (f *fields) set(i int, payload []byte, version, priority *int, date wire.Date) {
	f.payloads[i], f.versions[i], f.priorities[i] = payload, version, priority
	f.dates[i] = pgtype.Timestamptz{Time: date.At, Valid: !date.At.IsZero()}
	if date.Delay != nil {
		f.delays[i] = pgtype.Interval{Microseconds: date.Delay.Micros, Valid: true}
	}
}

func scanResultRow(row pgx.CollectableRow) (r queue.Result, err error) {
	var subject pgtype.Text
	var version, priority pgtype.Int4
	var next pgtype.Timestamptz
	err = row.Scan(&subject, &r.Outcome, &r.Status, &version, &priority, &next)
	r.Subject, r.Version, r.Priority, r.Next = subject.String, int(version.Int32), int(priority.Int32), next.Time
	return r, err
}

func collect[T any](ctx context.Context, db querier, row pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, row)
}

// bys is who calls for each of several documents.
func bys(subjects []string) []string {
	if len(subjects) == 1 {
		return []string{caller}
	}
	all := make([]string, len(subjects))
	for i, s := range subjects {
		all[i] = callerOf(s)
	}
	return all
}

// given is nil where no item has a value, as callers leave out what they do not need.
func given[T any](values []*T) []*T {
	for _, v := range values {
		if v != nil {
			return values
		}
	}
	return nil
}

// text is null for "", and span for 0.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func span(d time.Duration) pgtype.Interval {
	return pgtype.Interval{Microseconds: d.Microseconds(), Valid: d != 0}
}
