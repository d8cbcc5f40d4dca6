package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/queue"
)

// asBulk is a step as an operation.
func (st step) asBulk(now time.Time, to string) bulk {
	r := bulk{Action: st.Bulk, Size: st.Limit, Level: 5, Next: now.Add(time.Minute), Message: st.Items[0].Message}
	if st.Update {
		r.Level, r.Next = 0, now.Add(-time.Minute)
	}
	if r.Action == "move" {
		r.To = to
	}
	status := []queue.Status{queue.Killed, queue.Planned, queue.Pending, queue.Active, queue.Completed}[(st.Conn+st.Limit)%5]
	switch st.Choose {
	case "list":
		r.Named = []string{}
		for _, it := range st.Items {
			r.Named = append(r.Named, it.Subject)
		}
	case "status":
		r.Status = &status
		for action, not := range map[string]queue.Status{"kill": queue.Killed, "complete": queue.Completed, "run_now": queue.Active} {
			if r.Action == action && status == not {
				status = queue.Pending
			}
		}
	case "version":
		r.Version = &st.Version
	case "priority":
		r.Priority = &st.Conn
	case "prefix":
		r.Prefix = st.Items[0].Subject
	case "attempts":
		r.Attempts = st.Limit
	case "worker":
		r.Worker = worker
	}
	if r.Action == "retry" && r.Status != nil {
		status = queue.Killed
	}
	return r
}

func (w *world) bulk(to calls, m model, name string, st step) error {
	if len(st.Items) == 0 {
		return nil
	}
	r := st.asBulk(w.now, w.names[1-st.Queue])
	got, err := to.bulk(w.ctx, name, r)
	w.wrote(name, "bulk", r, got)
	if err != nil {
		return err
	}
	if diff := cmp.Diff(m.bulk(w.now, name, r), got); diff != "" {
		return differ("the operation counts (-model +engine):\n%s", diff)
	}
	return nil
}

// filter is the operation's filter; nil where documents are named.
func (r bulk) filter() []byte {
	if r.Named != nil {
		return nil
	}
	f := map[string]any{}
	if r.Status != nil {
		f["status"] = r.Status.String()
	}
	if r.Version != nil {
		f["version"] = *r.Version
	}
	if r.Priority != nil {
		f["priority"] = *r.Priority
	}
	if r.Attempts > 0 {
		f["attempts_min"] = r.Attempts
	}
	for name, value := range map[string]string{"subject_prefix": r.Prefix, "worker": r.Worker} {
		if value != "" {
			f[name] = value
		}
	}
	b, _ := json.Marshal(f)
	return b
}

func (s sqlCalls) bulk(ctx context.Context, q string, r bulk) (bulkResult, error) {
	return runBulk(ctx, s.db, q, r, s.now, nil)
}

func (c engineCalls) bulk(ctx context.Context, q string, r bulk) (bulkResult, error) {
	var now time.Time
	rows, err := collect(ctx, c.db, pgx.RowTo[time.Time], `select clock_timestamp()`)
	if err == nil {
		now = rows[0]
	}
	to := q
	if r.To != "" {
		to = r.To
	}
	return runBulk(ctx, c.db, q, r, now, func(made []queue.Made) { c.e.Note(to, made) })
}

// runBulk asks for an operation and makes its batches, in the transaction of db if that is one.
func runBulk(ctx context.Context, db querier, q string, r bulk, now time.Time, note func([]queue.Made)) (out bulkResult, err error) {
	var priority *int
	var next *time.Time
	switch r.Action {
	case "set_priority":
		priority = &r.Level
	case "reschedule":
		next = &r.Next
	}
	ids, err := collect(ctx, db, pgx.RowTo[uuid.UUID], `select id from fetchq.operation_add($1, $2, $3, $4, $5, $6, $7, null, $8, p_by => 'script', p_as => 'token', p_now => $9)`,
		q, r.Action, r.filter(), r.Named, text(r.To), priority, next, text(r.Message), now)
	if err != nil {
		return out, err
	}
	claimed, err := collect(ctx, db, pgx.RowTo[uuid.UUID], `select id from fetchq.operation_claim('a test', 10, $1)`, now)
	if err != nil || len(claimed) != 1 || claimed[0] != ids[0] {
		return out, errors.Join(err, errors.New("the operation is not the one that is claimed"))
	}
	for state := "running"; state == "running"; {
		batches, err := collect(ctx, db, pgx.RowToStructByPos[struct {
			State                        string
			Versions, Priorities, Counts []int
			Dates                        []time.Time
		}], `select state, versions, priorities, counts, dates from fetchq.operation_step($1, 'a test', $2, $3)`, ids[0], r.Size, now)
		if err != nil {
			return out, err
		}
		b := batches[0]
		state = b.State
		var made []queue.Made
		for i := range b.Versions {
			made = append(made, queue.Made{Version: b.Versions[i], Priority: b.Priorities[i], Date: b.Dates[i], Count: b.Counts[i]})
		}
		if note != nil {
			note(made)
		}
	}
	counts, err := collect(ctx, db, pgx.RowToStructByPos[bulkResult], `select done, left_alone, failed from fetchq.operations where id = $1 and state = 'done'`, ids[0])
	if err != nil || len(counts) != 1 {
		return out, errors.Join(err, errors.New("the operation is not done"))
	}
	return counts[0], nil
}
