package catalog

import (
	"testing"
	"time"
)

func TestWhatARestoreLeftBehindIsRemovedWhenNobodyHoldsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	w.s.Now = func() time.Time { return now }
	const stages = `select count(*) from pg_namespace where starts_with(nspname, 'fetchq_restore_')`
	look := func(want int) {
		t.Helper()
		if _, err := w.s.runOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := w.number(stages); n != want {
			t.Errorf("%d are left; %d are wanted", n, want)
		}
		now = now.Add(sweepEvery)
	}
	w.exec(`create schema fetchq_restore_dead_0`)
	w.exec(`create table fetchq_restore_dead_0.docs ()`)
	w.exec(`create schema fetchq_restore_alive_0`)
	restore, err := w.db.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer restore.Release()
	if _, err := restore.Exec(t.Context(), `select pg_advisory_lock(7378414, hashtext('fetchq_restore_alive_0'))`); err != nil {
		t.Fatal(err)
	}
	look(1)
	look(1)
	if _, err := restore.Exec(t.Context(), `select pg_advisory_unlock_all()`); err != nil {
		t.Fatal(err)
	}
	look(0)
}
