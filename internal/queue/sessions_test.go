package queue_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

// TestAFoldAndATruncateDoNotWaitCrosswise stops a fold where it waits for the counters, and truncates meanwhile.
func TestAFoldAndATruncateDoNotWaitCrosswise(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	exec(t, db, `select fetchq.queue_create('a'), fetchq.doc_push('a', 'x'), fetchq.mnt_fold('a')`)
	exec(t, db, `select fetchq.doc_push('a', 'y')`)
	holder := begin(t, db, `update fetchq.counters set planned = planned where queue = 'a'`)
	ended := make(chan error, 2)
	for i, sql := range []string{`select fetchq.mnt_fold('a')`, `select fetchq.queue_truncate('a')`} {
		go func() {
			_, err := db.Exec(t.Context(), sql)
			ended <- err
		}()
		blocked(t, db, i+1)
	}
	if err := holder.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if n := one[int](t, db, `select sum(pending) from fetchq.queue_counters('a')`); n != 0 {
		t.Errorf("%d documents are counted after a truncate", n)
	}
}

func TestAWholeQueueIsChangedInAReadCommittedTransactionOnly(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	exec(t, db, `select fetchq.queue_create('a')`)
	for _, call := range []string{`queue_truncate('a')`, `queue_attach('a')`, `queue_recount('a')`} {
		for _, level := range []pgx.TxIsoLevel{pgx.RepeatableRead, pgx.Serializable} {
			err := pgx.BeginTxFunc(t.Context(), db, pgx.TxOptions{IsoLevel: level}, func(tx pgx.Tx) error {
				_, err := tx.Exec(t.Context(), `select fetchq.`+call)
				return err
			})
			turnedDown(t, fmt.Sprint(call, " in ", level), err, errs.Invalid, "queue")
		}
	}
}

// TestTraceAndDoctorLeaveOutAQueueThatIsDroppedMeanwhile drops a queue that both have found already.
func TestTraceAndDoctorLeaveOutAQueueThatIsDroppedMeanwhile(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	db, e := dbtest.Open(t, url), start(t, url, "node-1")
	exec(t, db, `select fetchq.queue_create('a'), fetchq.queue_create('b'), fetchq.doc_push('a', 'x'), fetchq.doc_push('b', 'x')`)
	tx := begin(t, db, `select fetchq.queue_drop('b')`)
	traced, checked := make(chan []queue.Document, 1), make(chan []queue.Check, 1)
	go func() {
		all, err := e.Trace(t.Context(), "x", nil)
		if err != nil {
			t.Error(err)
		}
		traced <- all.Documents
	}()
	go func() {
		checks, err := e.Doctor(t.Context())
		if err != nil {
			t.Error(err)
		}
		checked <- checks
	}()
	blocked(t, db, 2)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if docs := <-traced; len(docs) != 1 || docs[0].Queue != "a" {
		t.Errorf("traced %+v", docs)
	}
	if checks := <-checked; len(checks) != 1 || checks[0].Queue != "a" || !checks[0].OK() {
		t.Errorf("checked %+v", checks)
	}
}
