package operations

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

// Create asks for an operation. It begins at once where none of the queue runs, and else stands in line; 100 may. Errors: NotFound
// (no such queue), Invalid (Field names what is wrong).
func (s *Service) Create(ctx context.Context, r Request) (Operation, error) {
	args, err := r.arguments(ctx)
	if err == nil {
		err = s.keepsHidden(ctx, r)
	}
	if err != nil {
		return Operation{}, err
	}
	if err := wire.CheckText("idempotency_key", r.Key, 255); err != nil {
		return Operation{}, err
	}
	a := r.Asked
	o, err := s.asked(ctx, a, audit.OperationAsk, "ask for an operation in "+r.Queue,
		`select `+columns+` from fetchq.operation_add($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) o`,
		append(args, a.By, a.As, optional(a.From), optional(a.RequestID), optional(r.Key), r.Print)...)
	if err == nil {
		s.wake()
	}
	return o, err
}

// Count tells how many documents a request is for, without doing anything. It looks at 10,000 of them at most where the counters cannot say
// it. Errors: as Create.
func (s *Service) Count(ctx context.Context, r Request) (c Count, err error) {
	args, err := r.arguments(ctx)
	if err == nil {
		err = s.keepsHidden(ctx, r)
	}
	if err != nil {
		return c, err
	}
	err = s.db.QueryRow(ctx, `select items, exact from fetchq.operation_count($1, $2, $3, $4, $5, $6, $7, $8, $9)`, args...).Scan(&c.Documents, &c.Exact)
	return c, database.Error("count documents of "+r.Queue, err)
}

// keepsHidden refuses what would show somebody what is hidden of payloads: by the documents that a filter finds, or in another queue.
func (s *Service) keepsHidden(ctx context.Context, r Request) error {
	if r.Filter != nil {
		if err := s.engine.MayFilter(ctx, r.Queue, "filter.payload", r.Filter.Payload); err != nil {
			return err
		}
	}
	if r.ToQueue == "" {
		return nil
	}
	return s.engine.MayCarry(ctx, r.Queue, r.ToQueue, "to_queue")
}

// arguments are those of operation_add and operation_count. The functions check what the fields say; here it is that they are text.
func (r Request) arguments(ctx context.Context) ([]any, error) {
	if queue.CheckName(r.Queue) != nil {
		return nil, &errs.Error{Code: errs.NotFound, Field: "queue", Message: "there is no such queue; a name is 1 to 40 of a-z, 0-9 and _"}
	}
	if err := queue.See(ctx, r.Queue); err != nil {
		return nil, err
	}
	if r.ToQueue != "" && !queue.Sees(ctx, r.ToQueue) {
		return nil, errs.Field("to_queue", "there is no queue %s", r.ToQueue)
	}
	err := errors.Join(wire.CheckText("action", r.Action, 40), wire.CheckText("message", r.Message, MaxMessage),
		wire.CheckText("to_queue", r.ToQueue, 40))
	if r.Filter != nil {
		err = errors.Join(err, wire.CheckText("filter.subject_prefix", r.Filter.SubjectPrefix, queue.MaxSubject),
			wire.CheckText("filter.worker", r.Filter.Worker, queue.MaxWorker), wire.CheckText("filter.status", r.Filter.Status, 40),
			wire.CheckText("filter.fingerprint", r.Filter.Fingerprint, 40), queue.CheckContained("filter.payload", r.Filter.Payload))
	}
	if len(r.Subjects) > MaxSubjects {
		err = errors.Join(err, errs.Field("subjects", "the list has %d subjects; 1 to %d are allowed", len(r.Subjects), MaxSubjects))
	}
	for _, subject := range r.Subjects {
		if bad := wire.CheckSubject(subject); bad != nil && err == nil {
			err = errs.Field("subjects", "a subject of the list %s", bad.(*errs.Error).Message) //nolint:errorlint,forcetypeassert // that is its type
		}
	}
	if err != nil {
		return nil, err
	}
	at := pgtype.Timestamptz{Time: r.Next.At, Valid: !r.Next.At.IsZero()}
	var delay pgtype.Interval
	if d := r.Next.Delay; d != nil {
		delay = pgtype.Interval{Months: d.Months, Days: d.Days, Microseconds: d.Micros, Valid: true}
	}
	return []any{r.Queue, r.Action, r.Filter, r.Subjects, optional(r.ToQueue), r.Priority, at, delay, optional(r.Message)}, nil
}

// optional turns "" into null.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Get returns one operation, in a queue that the context sees. Where it moves documents into one that the context does not, that is left out.
// Errors: NotFound.
func (s *Service) Get(ctx context.Context, id uuid.UUID) (Operation, error) {
	o, err := s.one(ctx, "read an operation", `select `+columns+` from fetchq.operations o where id = $1`, id)
	if err == nil && !queue.Sees(ctx, o.Queue) {
		return Operation{}, errNone
	}
	if err != nil {
		return Operation{}, err
	}
	return s.seen(ctx, o)
}

var errNone = &errs.Error{Code: errs.NotFound, Field: "id", Message: "there is no such operation"}

// Hidden stands in place of a queue that somebody does not see.
const Hidden = "another queue"

// seen is the operation as the context sees it.
func (s *Service) seen(ctx context.Context, o Operation) (Operation, error) {
	if o.Filter != nil && o.Filter.Payload != nil {
		hidden, err := s.engine.Redaction(ctx, o.Queue)
		if err != nil {
			return Operation{}, err
		}
		f := *o.Filter
		f.Payload = hidden.Apply(f.Payload)
		o.Filter = &f
	}
	if o.ToQueue != nil && !queue.Sees(ctx, *o.ToQueue) {
		o.ToQueue = new(Hidden)
	}
	return o, nil
}

// change refuses an operation that the context does not see in both its queues. Errors: NotFound, Forbidden.
func (s *Service) change(ctx context.Context, id uuid.UUID) error {
	if !queue.Limited(ctx) {
		return nil
	}
	o, err := s.Get(ctx, id)
	if err == nil && o.ToQueue != nil && *o.ToQueue == Hidden {
		err = errs.New(errs.Forbidden, "it moves documents into a queue that you do not see")
	}
	return err
}

// Cancel ends an operation: when it returns no further document is touched, and what was done stays. It waits for the batch that runs. One that is
// over stays as it is. by tells who asks. Errors: NotFound.
func (s *Service) Cancel(ctx context.Context, id uuid.UUID, by string) (Operation, error) {
	if err := s.change(ctx, id); err != nil {
		return Operation{}, err
	}
	o, err := s.asked(ctx, Asked{}, audit.OperationCancel, "cancel an operation", `select `+columns+` from fetchq.operation_cancel($1, $2) o`, id, by)
	if err == nil {
		s.wake()
	}
	return o, err
}

// Undo asks for what an operation did to be put back: it killed, rescheduled, set priorities or moved up to 100,000 documents, and ended within the
// last ten minutes. A document that was changed or picked since is left alone. Errors: NotFound, Invalid (id), with the reason why it cannot be.
func (s *Service) Undo(ctx context.Context, id uuid.UUID, a Asked) (Operation, error) {
	if err := s.change(ctx, id); err != nil {
		return Operation{}, err
	}
	o, err := s.asked(ctx, a, audit.OperationUndo, "undo an operation", `select `+columns+` from fetchq.operation_undo($1, $2, $3, $4, $5) o`,
		id, a.By, a.As, optional(a.From), optional(a.RequestID))
	if err == nil {
		s.wake()
	}
	return o, err
}

// WhyNoUndo says why an operation cannot be undone now; "": it can. Errors: NotFound.
func (s *Service) WhyNoUndo(ctx context.Context, id uuid.UUID) (why string, err error) {
	if err := s.change(ctx, id); errs.Of(err) == errs.Forbidden {
		return err.Error(), nil
	} else if err != nil {
		return "", err
	}
	err = s.db.QueryRow(ctx, `select coalesce(fetchq.operation_undo_problem(o), '') from fetchq.operations o where id = $1`, id).Scan(&why)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", errNone
	}
	return why, database.Error("see whether an operation can be undone", err)
}

// ListParams choose operations, the newest first.
type ListParams struct {
	Queues []string // nil: all
	State  string   // "": any
	Limit  int      // 1 to queue.MaxList
	Cursor string
}

// List returns a page of operations, in queues that the context sees, and the cursor of the next; "" at the end. Errors: Invalid (state, limit, cursor).
func (s *Service) List(ctx context.Context, p ListParams) (list []Operation, next string, err error) {
	if p.Limit < 1 || p.Limit > queue.MaxList {
		return nil, "", errs.Field("limit", "limit is %d; 1 to %d are allowed", p.Limit, queue.MaxList)
	}
	if p.State != "" && !slices.Contains(States, p.State) {
		return nil, "", errs.Field("state", "%.40q is no state; there are %s", p.State, strings.Join(States, ", "))
	}
	before := int64(math.MaxInt64)
	if p.Cursor != "" {
		parts, err := wire.DecodeCursor(p.Cursor, 1)
		if err == nil {
			before, err = strconv.ParseInt(parts[0], 10, 64)
		}
		if err != nil {
			return nil, "", errs.Field("cursor", "is not one that this list gave; ask again without it")
		}
	}
	const one = ` from fetchq.operations o where number < $1 and ($2 = '' or state = $2)`
	sql, args := `select `+columns+one+` order by number desc limit $3`, []any{before, p.State, p.Limit + 1}
	if p.Queues, err = s.engine.Only(ctx, p.Queues); err != nil {
		return nil, "", err
	}
	if p.Queues != nil { // each queue is a range of an index
		sql = `select ` + columns + ` from unnest($4::text[]) q (name) cross join lateral (
			select *` + one + ` and o.queue = q.name order by number desc limit $3) o order by number desc limit $3`
		args = append(args, p.Queues)
	}
	rows, err := s.db.Query(ctx, sql, args...)
	if err == nil {
		list, err = pgx.CollectRows(rows, scan)
	}
	if err != nil {
		return nil, "", database.Error("list operations", err)
	}
	if len(list) > p.Limit {
		list = list[:p.Limit]
		next = wire.EncodeCursor(strconv.FormatInt(list[p.Limit-1].number, 10))
	}
	for i := range list {
		if list[i], err = s.seen(ctx, list[i]); err != nil {
			return nil, "", err
		}
	}
	return list, next, nil
}

// Failures returns what went wrong in an operation, in the order in which it did: up to limit after the failure of a number. Errors: NotFound,
// Invalid (limit).
func (s *Service) Failures(ctx context.Context, id uuid.UUID, limit, after int) ([]Failure, error) {
	if limit < 1 || limit > queue.MaxList {
		return nil, errs.Field("limit", "limit is %d; 1 to %d are allowed", limit, queue.MaxList)
	}
	if _, err := s.Get(ctx, id); err != nil {
		return nil, err
	}
	rows, err := s.db.Query(ctx, `select number, line, subject, detail from fetchq.operation_failures
		where operation = $1 and number > $2 order by number limit $3`, id, after, limit)
	if err != nil {
		return nil, database.Error("list failures", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Failure])
	return list, database.Error("list failures", err)
}

const columns = `o.id, o.number, o.queue, o.action, o.state, o.created_at, o.started_at, o.finished_at, o.filter, o.to_queue, o.priority, o.next_iteration,
	o.message, o.on_conflict, o.format, o.asked_by, o.asked_as, o.asked_from, o.request_id, o.canceled_by, o.total, o.looked, o.done, o.created,
	o.left_alone, o.failed, o.failures, o.error, o.undoes, o.asks, o.told`

func scan(row pgx.CollectableRow) (o Operation, err error) {
	err = row.Scan(&o.ID, &o.number, &o.Queue, &o.Action, &o.State, &o.CreatedAt, &o.StartedAt, &o.FinishedAt, &o.Filter, &o.ToQueue, &o.Priority,
		&o.NextIteration, &o.Message, &o.OnConflict, &o.Format, &o.AskedBy, &o.AskedAs, &o.AskedFrom, &o.RequestID, &o.CanceledBy, &o.Total,
		&o.Looked, &o.Done, &o.Created, &o.LeftAlone, &o.Failed, &o.Failures, &o.Error, &o.Undoes, &o.Asks, &o.Told)
	return o, err
}

// asked runs a statement that returns one operation, with its line of the audit log: what is asked for, of how many where that is known.
func (s *Service) asked(ctx context.Context, a Asked, action audit.Action, op, sql string, args ...any) (o Operation, err error) {
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) (err error) {
		if o, err = one(ctx, tx, op, sql, args...); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a.Line(action, o.Queue, o.details()))
	})
	return o, database.Error(op, err)
}

// Line is the line of the audit log for what is asked for: by whom, where the context does not say it.
func (a Asked) Line(action audit.Action, target string, details map[string]any) audit.Entry {
	e := audit.Entry{Action: action, Target: target, Details: details}
	if kind, known := map[string]audit.Kind{"user": audit.User, "token": audit.Token, "schedule": audit.Program}[a.As]; known {
		e.Actor, e.Address, e.RequestID = audit.Actor{Kind: kind, Name: a.By}, a.From, a.RequestID
	}
	return e
}

// details are what the audit log keeps of an operation. What a filter wants of payloads is no part of it.
func (o Operation) details() map[string]any {
	d := map[string]any{"operation": o.ID, "action": o.Action}
	if o.Filter != nil {
		f := *o.Filter
		if f.Payload != nil {
			d["filter_of_payloads"] = true
		}
		f.Payload = nil
		d["filter"] = f
	}
	if o.Total != nil {
		d["documents"] = *o.Total
	}
	if o.ToQueue != nil {
		d["to_queue"] = *o.ToQueue
	}
	if o.Done > 0 {
		d["done"] = o.Done
	}
	return d
}

// one runs a statement that returns one operation.
func (s *Service) one(ctx context.Context, op, sql string, args ...any) (Operation, error) {
	return one(ctx, s.db, op, sql, args...)
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func one(ctx context.Context, db querier, op, sql string, args ...any) (Operation, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return Operation{}, database.Error(op, err)
	}
	o, err := pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		return o, &errs.Error{Code: errs.NotFound, Field: "id", Message: "there is no such operation"}
	}
	return o, database.Error(op, err)
}
