package queue_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
)

// hits searches and writes what it finds as queue/subject, with a ! where that is the text itself.
func hits(t *testing.T, e *queue.Engine, text string, only []string, limit int) []string {
	t.Helper()
	found, err := e.SearchSubjects(t.Context(), text, only, limit)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	out := []string{}
	for _, h := range found {
		line := h.Queue + "/" + h.Subject
		if h.Exact {
			line += "!"
		}
		out = append(out, line)
	}
	return out
}

func TestASearchHasTheExactOnesOfAllQueuesFirst(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	put(t, e, "b", `{"partitions":4}`)
	put(t, e, "b_c", `{}`)
	put(t, e, "none", `{}`)
	for name, all := range map[string]string{
		"a":   "http httq http://é http://x http://x/1 http://x/2 http://x0 HTTP://x",
		"b":   "http://x/0 http://x/1 http://x/2 http://x/3 http://x",
		"b_c": "http://x z",
	} {
		var docs []queue.Push
		for _, s := range strings.Fields(all) {
			docs = append(docs, queue.Push{Subject: s})
		}
		if _, err := e.Push(ctx, name, docs, queue.Ignore); err != nil {
			t.Fatal(err)
		}
	}
	exact := []string{"a/http://x!", "b/http://x!", "b_c/http://x!"}
	a, b := []string{"a/http://x/1", "a/http://x/2", "a/http://x0"}, []string{"b/http://x/0", "b/http://x/1", "b/http://x/2", "b/http://x/3"}
	join := func(lists ...[]string) []string {
		out := []string{}
		for _, l := range lists {
			out = append(out, l...)
		}
		return out
	}
	for name, tt := range map[string]struct {
		text  string
		only  []string
		limit int
		want  []string
	}{
		"all":                  {"http://x", nil, 50, join(exact, a, b)},
		"more than there fit":  {"http://x", nil, 7, join(exact, a, b[:1])},
		"full within a queue":  {"http://x", nil, 5, join(exact, a[:2])},
		"exact ones only":      {"http://x", nil, 3, exact},
		"not even those":       {"http://x", nil, 2, exact[:2]},
		"queues":               {"http://x", []string{"b", "none", "gone"}, 3, join(exact[1:2], b[:2])},
		"no queues":            {"http://x", []string{}, 3, join()},
		"nothing is exact":     {"http://x/", nil, 4, join(a[:2], b[:2])},
		"a longer letter":      {"http://é", nil, 4, []string{"a/http://é!"}},
		"nothing":              {"http://y", nil, 4, join()},
		"the end of all texts": {"\U0010ffff", nil, 4, join()},
		"no pattern":           {"http%", nil, 4, join()},
		"part of a text":       {"htt", nil, 3, []string{"a/http", "a/http://x", "a/http://x/1"}},
	} {
		if diff := cmp.Diff(tt.want, hits(t, e, tt.text, tt.only, tt.limit)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	held := pick(t, e, queue.PickParams{})[0]
	found, err := e.SearchSubjects(ctx, held.Subject, []string{"a"}, 1)
	if diff := cmp.Diff([]queue.Hit{{Queue: "a", Subject: held.Subject, Status: queue.Active, Exact: true}}, found); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestASearchNamesWhatItRefuses(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	for _, tt := range []struct {
		text  string
		limit int
		field string
	}{
		{"", 1, "text"}, {strings.Repeat("x", 256), 1, "text"}, {"\xff", 1, "text"}, {"\x00", 1, "text"}, {"x", 0, "limit"}, {"x", 51, "limit"},
	} {
		if _, err := e.SearchSubjects(ctx, tt.text, nil, tt.limit); field(err) != tt.field {
			t.Errorf("%.10q, %d: %v; a refusal of %s is wanted", tt.text, tt.limit, err, tt.field)
		}
	}
	if _, err := e.SearchSubjects(ctx, strings.Repeat("x", 255), nil, 50); err != nil {
		t.Error(err)
	}
}

// A lock of each table and index that a transaction reads has its place in a table of the server, which is soon full.
func TestASearchOfManyQueuesKeepsNoLocksOfThem(t *testing.T) {
	t.Parallel()
	ctx, db := t.Context(), dbtest.New(t)
	exec(t, db, `select fetchq.queue_put('q' || i) from generate_series(1, 40) i`)
	exec(t, db, `select fetchq.doc_push_many('q' || i, array['x', 'y']) from generate_series(1, 40) i`)
	tx, err := db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	var found, locks int
	err = tx.QueryRow(ctx, `select count(*) from fetchq.subject_search('x', 'y')`).Scan(&found)
	if err != nil || found != 40 {
		t.Errorf("%d are found, %v", found, err)
	}
	err = tx.QueryRow(ctx, `select count(*) from pg_locks l join pg_class c on c.oid = l.relation
		where l.pid = pg_backend_pid() and c.relnamespace::regnamespace::text like 'q\_%'`).Scan(&locks)
	if err != nil || locks != 0 {
		t.Errorf("%d locks are held, %v", locks, err)
	}
}

func TestASearchVisitsAThousandQueuesAtMost(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	e := stoppedClock(t, db)
	// Rows of the register without tables are like queues that go in this moment: a search passes them over.
	exec(t, db, `insert into fetchq.queues (name) select 'n' || to_char(i, 'FM0000') from generate_series(1, 999) i`)
	for _, name := range []string{"a", "z"} {
		put(t, e, name, `{}`)
		if _, err := e.Push(t.Context(), name, []queue.Push{{Subject: "x"}}, queue.Ignore); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"a/x!"}, hits(t, e, "x", nil, 50)); diff != "" {
		t.Error(diff)
	}
	exec(t, db, `delete from fetchq.queues where name = 'n0500'`)
	if diff := cmp.Diff([]string{"a/x!", "z/x!"}, hits(t, e, "x", nil, 50)); diff != "" {
		t.Error(diff)
	}
}
