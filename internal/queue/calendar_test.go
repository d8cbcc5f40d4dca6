package queue_test

import (
	"testing"
	"time"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

func TestACalendarSaysWhenDocumentsBecomeDue(t *testing.T) {
	t.Parallel()
	for _, partitions := range []string{"1", "4"} {
		db := dbtest.New(t)
		e := queue.New(db, queue.Options{Node: "test", Now: time.Now})
		ctx := t.Context()
		from := time.Now().Add(24 * time.Hour).Truncate(time.Hour)
		if _, err := db.Exec(ctx, `select fetchq.queue_put('a', jsonb_build_object('partitions', $1::integer))`, partitions); err != nil {
			t.Fatal(err)
		}
		// 10 in the first hour, two versions; 30 in the third, on its edges; one long ago; one far ahead.
		if _, err := db.Exec(ctx, `select fetchq.doc_push_many('a', array_agg(s), p_versions => array_agg(v), p_dates => array_agg(d)) from (
				select 'h1 ' || i s, i % 2 v, $1::timestamptz + i * interval '1 minute' d from generate_series(0, 9) i
				union all select 'h3 ' || i, 0, $1::timestamptz + interval '2 hours' + i * interval '2 minutes' from generate_series(0, 29) i
				union all select 'far', 0, $1::timestamptz + interval '3 hours'
				union all select 'soon', 7, $1::timestamptz - interval '1 hour') t`, from); err != nil {
			t.Fatal(err)
		}
		got, err := e.Calendar(ctx, "a", from, time.Hour, 3)
		if err != nil || len(got) != 3 {
			t.Fatalf("%+v, %v", got, err)
		}
		for i, want := range []int64{11, 0, 30} {
			if got[i].Documents != want || got[i].Known != "exact" || !got[i].At.Equal(from.Add(time.Duration(i)*time.Hour)) {
				t.Errorf("%s partitions, hour %d: %+v, want %d", partitions, i+1, got[i], want)
			}
		}
		if _, err := e.Calendar(ctx, "b", from, time.Hour, 3); errs.Of(err) != errs.NotFound {
			t.Errorf("a queue that is not there: %v", err)
		}
		if _, err := e.Calendar(ctx, "a", from, time.Hour, 101); errs.Of(err) != errs.Invalid {
			t.Errorf("101 steps: %v", err)
		}
	}
}

func TestACalendarOfManyIsAboutRight(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	e := queue.New(db, queue.Options{Node: "test", Now: time.Now})
	ctx := t.Context()
	from := time.Now().Add(24 * time.Hour).Truncate(time.Hour)
	if _, err := db.Exec(ctx, `select fetchq.queue_put('a')`); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(ctx, `select fetchq.doc_push_many('a', array_agg('s ' || i), p_dates => array_agg($1::timestamptz + i * interval '0.9 seconds'))
		from generate_series(0, 7999) i`, from); err != nil {
		t.Fatal(err)
	}
	got, err := e.Calendar(ctx, "a", from, time.Hour, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []queue.Due{{Documents: 4000, Known: "about"}, {Documents: 4000, Known: "about"}, {Known: "exact"}} {
		if d := got[i].Documents - want.Documents; d < -want.Documents/50 || d > want.Documents/50 || got[i].Known != want.Known {
			t.Errorf("hour %d: %+v, want %+v", i+1, got[i], want)
		}
	}
	// All at one moment: how close together they stand says nothing.
	if _, err := db.Exec(ctx, `select fetchq.doc_push_many('a', array_agg('t ' || i), p_dates => array_agg($1::timestamptz + interval '5 hours'))
		from generate_series(1, 2000) i`, from); err != nil {
		t.Fatal(err)
	}
	got, err = e.Calendar(ctx, "a", from.Add(5*time.Hour), time.Hour, 1)
	if err != nil || got[0].Known != "least" || got[0].Documents != 1000 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestACalendarThatLeavesSomethingOutSaysAtLeast(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		partitions, versions, documents int
		known                           string
	}{{1, 20, 40, "exact"}, {1, 21, 42, "least"}, {64, 9, 3000, "least"}} {
		db := dbtest.New(t)
		e := queue.New(db, queue.Options{Node: "test", Now: time.Now})
		ctx := t.Context()
		from := time.Now().Add(24 * time.Hour).Truncate(time.Hour)
		if _, err := db.Exec(ctx, `select fetchq.queue_put('a', jsonb_build_object('partitions', $1::integer))`, tt.partitions); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(ctx, `select fetchq.doc_push_many('a', array_agg('s ' || i), p_versions => array_agg(i % $2::integer),
			p_dates => array_agg($1::timestamptz + interval '1 minute' + i * interval '1 second'))
			from generate_series(0, $3::integer - 1) i`, from, tt.versions, tt.documents); err != nil {
			t.Fatal(err)
		}
		got, err := e.Calendar(ctx, "a", from, time.Hour, 2)
		if err != nil || got[0].Known != tt.known || got[1].Known != tt.known || got[1].Documents != 0 ||
			tt.known == "exact" && got[0].Documents != 40 || tt.versions == 21 && got[0].Documents != 40 {
			t.Errorf("%d partitions with %d versions: %+v, %v, want %s", tt.partitions, tt.versions, got, err, tt.known)
		}
	}
}
