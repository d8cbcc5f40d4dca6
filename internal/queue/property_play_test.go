package queue_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/queue"
)

// connections is how many a script has for its calls; others read what the calls leave behind.
const connections = 3

// world is a database and the model of it.
type world struct {
	ctx     context.Context
	db      *pgxpool.Pool
	names   [2]string // of the queues
	model   model
	diary   []string // what was called, for the reader of a failure
	start   time.Time
	now     time.Time
	conns   [connections]*pgxpool.Conn
	open    []*transaction
	leases  map[string][]int64          // every lease number that a subject had, ascending, also in earlier lives
	last    map[string]queue.Resolution // by queue: the last one that ended a lease
	through func(db querier, now time.Time) calls
	real    bool      // the clock is the database's: now is when the last call began
	began   time.Time // when the last call began, by this process's clock
}

// transaction is a call that is not committed yet.
type transaction struct {
	tx   pgx.Tx
	conn int
	left int // calls until it ends
	undo bool
	does change
	held map[string]bool // queue and subject of the rows that it may have locked
	// unsure: it named rows that it did not change; whether it locked them is its own affair.
	unsure bool
}

// play makes the calls of a script and returns the first difference between the model and the engine.
func (w *world) play(s script) (err error) {
	defer func() { // what is left open is in the way of the next script
		for _, t := range w.open {
			_ = t.tx.Rollback(w.ctx)
		}
		w.open = nil
	}()
	for i, name := range w.names {
		if err := w.calls(0).put(w.ctx, name, s.Rules[i].json()); err != nil {
			return err
		}
		w.model[name] = newCalendar(s.Rules[i])
		w.wrote(name, "create", s.Rules[i])
	}
	for i, st := range s.Steps {
		if st.Call == "nothing" {
			continue
		}
		if err := w.step(st); err != nil {
			return fmt.Errorf("step %d, %s: %w", i, st.Call, err)
		}
		if err := w.compare(); err != nil {
			return fmt.Errorf("after step %d, %s: %w", i, st.Call, err)
		}
		if err := w.finish(1); err != nil {
			return fmt.Errorf("commit after step %d, %s: %w", i, st.Call, err)
		}
	}
	return w.finish(len(s.Steps))
}

// calls returns the calls on a connection. One with an open transaction is left alone.
func (w *world) calls(conn int) calls {
	for slices.ContainsFunc(w.open, func(t *transaction) bool { return t.conn == conn }) {
		conn = (conn + 1) % connections
	}
	if w.conns[conn] == nil {
		return w.through(w.db, w.now)
	}
	return w.through(w.conns[conn], w.now)
}

// step makes one call: at once, or in a transaction that stays open.
func (w *world) step(st step) error {
	w.now = w.now.Add(st.Advance)
	w.began = time.Now()
	if w.real {
		if err := w.db.QueryRow(w.ctx, `select clock_timestamp()`).Scan(&w.now); err != nil {
			return err
		}
	}
	name := w.names[st.Queue]
	switch st.Call {
	case "drop", "truncate", "recount", "attach", "put", "index", "bulk":
		if err := w.finish(len(everything.calls)); err != nil { // they would wait for open transactions
			return err
		}
	case "pick", "mark_due", "orphans", "expire", "pause":
		// Picks under limits wait for each other. All of them skip what is locked, which may be more than what changed.
		if c := w.model[name]; c.limited() || slices.ContainsFunc(w.open, func(t *transaction) bool { return t.unsure }) {
			if err := w.finish(len(everything.calls)); err != nil {
				return err
			}
		}
	}
	st.Items = w.free(st, name)
	if st.Hold == 0 || !w.holdable(st) {
		return w.call(w.calls(st.Conn), w.model, st)
	}
	conn := st.Conn
	for slices.ContainsFunc(w.open, func(t *transaction) bool { return t.conn == conn }) {
		conn = (conn + 1) % connections
	}
	tx, err := w.conns[conn].Begin(w.ctx)
	if err != nil {
		return err
	}
	t := &transaction{tx: tx, conn: conn, left: st.Hold + 1, undo: st.Undo}
	w.open = append(w.open, t)
	w.wrote("connection", "begin", conn)
	after := w.model.clone()
	if err := w.call(w.through(tx, w.now), after, st); err != nil {
		return err
	}
	t.does = w.model.to(after)
	t.held = t.does.rows()
	for _, it := range st.Items {
		if row := name + " " + it.Subject; st.Call != "pick" && !t.held[row] && w.model[name].docs[it.Subject] != nil {
			t.held[row], t.unsure = true, true
		}
	}
	return nil
}

// holdable tells whether a call may stay uncommitted while others go on: it locks rows of documents and nothing else.
func (w *world) holdable(st step) bool {
	c := w.model[w.names[st.Queue]]
	switch {
	case len(w.open) == connections-1 || w.conns[0] == nil:
		return false
	case st.Call == "pick":
		return st.Key == "" && c.Partitions == 1 && !c.limited()
	case st.Call == "act" && st.Key != "":
		return false // it holds its key
	}
	return slices.Contains([]string{"push", "resolve", "act", "extend"}, st.Call)
}

// finish counts calls off, and ends the transactions whose time has come.
func (w *world) finish(n int) error {
	ended := false
	for i := 0; i < len(w.open); i++ {
		t := w.open[i]
		if t.left -= n; t.left > 0 {
			continue
		}
		w.open = slices.Delete(w.open, i, i+1)
		i--
		ended = true
		w.wrote("connection", "end", t.conn, t.undo)
		if t.undo {
			if err := t.tx.Rollback(w.ctx); err != nil {
				return err
			}
			continue
		}
		if err := t.tx.Commit(w.ctx); err != nil {
			return err
		}
		w.model.apply(t.does)
	}
	if !ended {
		return nil
	}
	return w.compare()
}

// locked tells which documents of a queue an open transaction holds.
func (w *world) locked(name string) func(subject string) bool {
	return func(subject string) bool {
		return slices.ContainsFunc(w.open, func(t *transaction) bool { return t.held[name+" "+subject] })
	}
}

// change is what a transaction does to the model when it is committed.
type change map[string]changed

type changed struct {
	docs    map[string]*document // nil: gone
	events  map[event]int64
	logs    []queue.Log
	journal []line
}

// to returns the changes that lead from m to after. Numbers of documents that enter are drawn at once, as the engine's
// sequence does.
func (m model) to(after model) change {
	all := change{}
	for name, c := range m {
		k := after[name]
		c.next = k.next
		ch := changed{docs: map[string]*document{}, events: map[event]int64{}, logs: k.logs[len(c.logs):], journal: k.journal[len(c.journal):]}
		for subject, d := range k.docs {
			if old := c.docs[subject]; old == nil || !same(old, d) {
				ch.docs[subject] = d
			}
		}
		for subject := range c.docs {
			if k.docs[subject] == nil {
				ch.docs[subject] = nil
			}
		}
		for e, n := range k.events {
			ch.events[e] = n - c.events[e]
		}
		all[name] = ch
	}
	return all
}

func (m model) apply(all change) {
	for name, ch := range all {
		c := m[name]
		for subject, d := range ch.docs {
			if d == nil {
				delete(c.docs, subject)
			} else {
				c.docs[subject] = d
			}
		}
		for e, n := range ch.events {
			c.events[e] += n
		}
		c.logs = append(c.logs, ch.logs...)
		c.journal = append(c.journal, ch.journal...)
	}
}

// rows names the documents that change.
func (all change) rows() map[string]bool {
	rows := map[string]bool{}
	for name, ch := range all {
		for subject := range ch.docs {
			rows[name+" "+subject] = true
		}
	}
	return rows
}
