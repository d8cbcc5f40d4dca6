package queue_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

func TestAPauseEndsInTheCalendar(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	for name, until := range map[string]wire.Date{
		"in 2,000 years": years(2000), "in 9,000 years": years(9000), "8,000 years ago": years(-8000), "an hour ago": {At: time.Now().Add(-time.Hour)},
		"in the year 20000": {At: time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		_, err := e.Pause(ctx, "a", queue.PauseParams{Until: until})
		turnedDown(t, name, err, errs.Invalid, "until")
	}
	if q, err := e.Get(ctx, "a"); err != nil || q.Paused {
		t.Errorf("paused is %v, error %v", q.Paused, err)
	}
	if q, err := e.Pause(ctx, "a", queue.PauseParams{Until: years(1)}); err != nil || q.PausedUntil == nil {
		t.Errorf("paused until %v, error %v", q.PausedUntil, err)
	}
}

func TestAttachNamesWhatTheSchemaLacks(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	exec(t, db, `select fetchq.queue_create('a', '{"partitions":4}'), fetchq.doc_push('a', 'x')`)
	exec(t, db, `delete from fetchq.queues; drop table q_a.requests; drop sequence q_a.seq; delete from q_a.gate`)
	_, err := db.Exec(t.Context(), `select fetchq.queue_attach('a')`)
	turnedDown(t, "attach", err, errs.NotFound, "queue")
	if err == nil || !strings.Contains(err.Error(), "it lacks q_a.seq, q_a.requests") {
		t.Errorf("%v", err)
	}
	exec(t, db, `create table q_a.requests (kind text not null); create sequence q_a.seq; 
		insert into q_a.docs (subject, seq, lease, next_iteration, created_at, size, status, payload)
		select 'y', 1, lease, next_iteration, created_at, size, status, payload from q_a.docs`)
	exec(t, db, `select fetchq.queue_attach('a', null)`)
	if n := one[int](t, db, `select partitions from fetchq.queues`); n != 4 {
		t.Errorf("it has %d partitions; 4 stand there", n)
	}
	exec(t, db, `select fetchq.queue_set('a', '{"rate":{"picks":1,"per":"1 hour"}}'), fetchq.queue_resume('a')`)
	if n := one[int](t, db, `select count(*) from fetchq.doc_pick_many('a', p_limit => 5)`); n != 1 {
		t.Errorf("%d documents are handed out at a rate of one", n)
	}
}

func TestAQueueIsNotMadeOverASchema(t *testing.T) {
	t.Parallel()
	_, e := engine(t)
	db := dbtest.New(t)
	exec(t, db, `create schema q_b`)
	for _, call := range []string{`queue_create('b')`, `queue_put('b')`} {
		_, err := db.Exec(t.Context(), `select fetchq.`+call)
		turnedDown(t, call, err, errs.Exists, "queue")
		if err == nil || !strings.Contains(err.Error(), "queue_attach") {
			t.Errorf("%v", err)
		}
	}
	_, _, err := e.Put(t.Context(), "c", []byte(`{"tablespace":"pg_global"}`))
	turnedDown(t, "pg_global", err, errs.Invalid, "tablespace")
}

// TestAForwardThatIsNotTakenFails plants a push that refuses what was checked before: the document must not be lost.
func TestAForwardThatIsNotTakenFails(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	exec(t, db, `select fetchq.queue_create('a'), fetchq.doc_push('a', 'x')`)
	dbtest.Replace(t, db, "push_text", `where problem is null and nth = 1`, `where false`, `when i.problem is not null then 'invalid'`, `when true then 'invalid'`)
	exec(t, db, `select fetchq.queue_create('b')`)
	lease := one[int64](t, db, `select lease from fetchq.doc_pick('a')`)
	_, err := db.Exec(t.Context(), `select fetchq.doc_resolve_many('a', array['x'], array[$1::bigint], array['forward'], p_to_queues => array['b'], p_thens => array['drop'])`, lease)
	if err == nil {
		t.Error("the forward went through")
	}
	if n := one[int](t, db, `select count(*) from q_a.docs where status = 2`); n != 1 {
		t.Error("the document is gone")
	}
}
