package queue_test

import (
	"testing"

	"github.com/fetchq/server/internal/dbtest"
)

// waits are the picks that wait for another session: at the gate of a limited queue, or for a call under the same key.
var waits = map[string]struct{ settings, pick string }{
	"gate": {`{"max_active":100}`, `fetchq.doc_pick_many('a', p_lock => '1 second')`},
	"key":  {`{}`, `fetchq.doc_pick_many('a', p_lock => '1 second', p_key => 'k')`},
}

func TestAPickThatWaitedHandsNothingOutOfAQueueThatWasPausedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, c := range waits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := dbtest.New(t)
			exec(t, db, `select fetchq.queue_create('a', $1)`, c.settings)
			exec(t, db, `select fetchq.doc_push('a', 'x')`)
			first := begin(t, db, `select `+c.pick)
			got := make(chan int)
			go func() { got <- one[int](t, db, `select count(*) from `+c.pick) }()
			blocked(t, db, 1)
			exec(t, db, `select fetchq.queue_pause('a')`)
			if err := first.Rollback(t.Context()); err != nil { // x is free again
				t.Fatal(err)
			}
			if n := <-got; n != 0 {
				t.Errorf("a paused queue handed out %d documents", n)
			}
		})
	}
}

func TestALeaseOfAPickThatWaitedBeginsAfterTheWait(t *testing.T) {
	t.Parallel()
	for name, c := range waits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := dbtest.New(t)
			exec(t, db, `select fetchq.queue_create('a', $1)`, c.settings)
			exec(t, db, `select fetchq.doc_push('a', 'x')`)
			first := begin(t, db, `select `+c.pick)
			got := make(chan float64)
			go func() {
				got <- one[float64](t, db, `select extract(epoch from lease_expires_at - clock_timestamp())::float8 from `+c.pick)
			}()
			blocked(t, db, 1)
			exec(t, db, `select pg_sleep(0.8)`)
			if err := first.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			if left := <-got; left < 0.8 {
				t.Errorf("a lease of 1 s has %.2f s left as it is handed out", left)
			}
		})
	}
}

func TestAPausedQueueAnswersARepeatedKeyWithItsLiveDocumentsOnly(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	exec(t, db, `select fetchq.queue_create('a'), fetchq.doc_push('a', 'x'), fetchq.doc_push('a', 'y')`)
	const keyed = `select coalesce(string_agg(subject, ' '), '') from fetchq.doc_pick_many('a', p_limit => $1, p_lock => '1 minute', p_key => 'k',
		p_now => clock_timestamp() + $2::interval)`
	for _, step := range []struct {
		limit int
		at    string
		want  string
	}{{1, "0", "x"}, {2, "0", "x"}, {2, "2 minutes", ""}} {
		if got := one[string](t, db, keyed, step.limit, step.at); got != step.want {
			t.Errorf("at %s %q are handed out; %q are wanted", step.at, got, step.want)
		}
		exec(t, db, `select fetchq.queue_pause('a')`)
	}
}
