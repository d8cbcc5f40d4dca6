package queue_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
)

// TestFunctionsDoWhatTheTableOfStatesSays plays random scripts of all calls on the SQL functions, from several connections,
// with calls that see others uncommitted, and with a clock of its own. It compares documents, answers, counters and logs
// with the model after each call.
func TestFunctionsDoWhatTheTableOfStatesSays(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		if err := playOnFunctions(t.Context(), db, n, aScript.Draw(rt, "script")); err != nil {
			rt.Fatal(err)
		}
	})
}

// TestEngineDoesWhatTheTableOfStatesSays plays scripts on the Go engine, in real time. The clock of its marks stands still,
// so that no full scan comes to their help: a mark that is lost is a document that is not found.
func TestEngineDoesWhatTheTableOfStatesSays(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	e := stoppedClock(t, db)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		s := aScript.Draw(rt, "script").inRealTime()
		if err := playOnEngine(t.Context(), db, engineCalls{e, db}, n, s); err != nil {
			rt.Fatal(err)
		}
	})
}

// stoppedClock returns an engine for whose marks no time goes by.
func stoppedClock(t *testing.T, db *pgxpool.Pool) *queue.Engine {
	t.Helper()
	now := time.Now()
	e := queue.New(db, queue.Options{Log: slog.New(slog.DiscardHandler), Node: "node-1", Now: func() time.Time { return now }})
	t.Cleanup(e.Stop)
	return e
}

// playOnFunctions plays a script on the SQL functions, in two queues of its own. Its clock goes ahead of the real one,
// which the end of a pause has to lie ahead of.
func playOnFunctions(ctx context.Context, db *pgxpool.Pool, n int, s script) error {
	w := newWorld(ctx, db, n)
	w.through = func(db querier, now time.Time) calls { return sqlCalls{db, now} }
	w.now = w.start.UTC().Truncate(time.Second).Add(time.Hour)
	defer func() {
		for _, conn := range w.conns {
			if conn != nil {
				conn.Release()
			}
		}
	}()
	for i := range w.conns {
		conn, err := db.Acquire(ctx)
		if err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, `set lock_timeout = '5s'`); err != nil { // a call that waits for another is an error
			return err
		}
		w.conns[i] = conn
	}
	return w.tell(s)
}

// playOnEngine plays a script on the engine, in two queues of its own.
func playOnEngine(ctx context.Context, db *pgxpool.Pool, to calls, n int, s script) error {
	w := newWorld(ctx, db, n)
	w.real = true
	w.through = func(querier, time.Time) calls { return to }
	return w.tell(s)
}

func newWorld(ctx context.Context, db *pgxpool.Pool, n int) *world {
	return &world{ctx: ctx, db: db, names: [2]string{fmt.Sprint("a", n), fmt.Sprint("b", n)}, start: time.Now(),
		model: model{}, leases: map[string][]int64{}, last: map[string]queue.Resolution{}}
}

// tell plays a script, removes its queues, and tells the calls that led to a difference.
func (w *world) tell(s script) error {
	err := w.play(s)
	for _, name := range w.names {
		if _, dropErr := w.db.Exec(w.ctx, `select fetchq.queue_drop($1)`, name); err == nil {
			err = dropErr
		}
	}
	if err != nil {
		err = fmt.Errorf("%w\nthe calls:\n%s", err, strings.Join(w.diary, "\n"))
	}
	return err
}

// inRealTime returns the script for a clock that cannot be moved: what is due is due at once or not at all, leases do not
// run out, and the calls that only SQL has are left out.
func (s script) inRealTime() script {
	for i := range s.Rules {
		r := &s.Rules[i]
		r.Lock, r.Base, r.Cap, r.RatePer = time.Hour, time.Hour, 3*time.Hour, 24*time.Hour
	}
	for i := range s.Steps {
		st := &s.Steps[i]
		st.Advance, st.Lock, st.Hold = 0, time.Hour, 0
		if st.Call == "recount" || st.Call == "attach" {
			st.Call = "nothing"
		}
		for j := range st.Items {
			if it := &st.Items[j]; it.Next > 0 {
				it.Next += time.Hour
			}
		}
	}
	return s
}
