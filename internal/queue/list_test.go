package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

// walk reads all pages of a list of documents.
func walk(t *testing.T, e *queue.Engine, f queue.DocFilter) (subjects []string, pages int) {
	t.Helper()
	for {
		page, err := e.Docs(t.Context(), "a", f)
		if err != nil {
			t.Fatalf("%+v: %v", f, err)
		}
		pages++
		for _, d := range page.Documents {
			subjects = append(subjects, d.Subject)
		}
		if page.Next == "" {
			return subjects, pages
		}
		f.Cursor = page.Next
	}
}

func ptr[T any](v T) *T { return &v }

func TestListsShowEveryDocumentOnceInTheirOrder(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int{1, 3} {
		ctx := t.Context()
		e := start(t, dbtest.URL(t), "n")
		put(t, e, "a", fmt.Sprintf(`{"partitions":%d}`, partitions))
		now := time.Now()
		var docs []queue.Push
		for i := range 60 {
			at := now.Add(-time.Duration(i%7) * time.Minute)
			if i%2 == 0 {
				at = now.Add(time.Duration(1+i%5) * time.Hour)
			}
			docs = append(docs, queue.Push{Subject: fmt.Sprintf("s%02d", i), Version: ptr(i % 3), Priority: ptr(i % 4), Next: wire.Date{At: at}})
		}
		push(t, e, docs...)
		want := func(keep func(i int) bool) []string {
			var out []string
			for i := range 60 {
				if keep(i) {
					out = append(out, fmt.Sprintf("s%02d", i))
				}
			}
			return out
		}
		sorted := func(s []string) []string { s = slices.Clone(s); slices.Sort(s); return s }
		for name, tt := range map[string]struct {
			f    queue.DocFilter
			want []string
		}{
			"all":             {queue.DocFilter{Limit: 7}, want(func(int) bool { return true })},
			"prefix":          {queue.DocFilter{Limit: 3, SubjectPrefix: "s3"}, want(func(i int) bool { return i/10 == 3 })},
			"version":         {queue.DocFilter{Limit: 7, Version: ptr(1)}, want(func(i int) bool { return i%3 == 1 })},
			"planned":         {queue.DocFilter{Limit: 7, Status: ptr(queue.Planned)}, want(func(i int) bool { return i%2 == 0 })},
			"pending":         {queue.DocFilter{Limit: 7, Status: ptr(queue.Pending)}, want(func(i int) bool { return i%2 == 1 })},
			"pending prio":    {queue.DocFilter{Limit: 2, Status: ptr(queue.Pending), Priority: ptr(3)}, want(func(i int) bool { return i%4 == 3 })},
			"planned version": {queue.DocFilter{Limit: 2, Status: ptr(queue.Planned), Version: ptr(2)}, want(func(i int) bool { return i%2 == 0 && i%3 == 2 })},
			"planned prio":    {queue.DocFilter{Limit: 2, Status: ptr(queue.Planned), Priority: ptr(2)}, want(func(i int) bool { return i%4 == 2 })},
		} {
			got, _ := walk(t, e, tt.f)
			if diff := cmp.Diff(tt.want, sorted(got)); diff != "" {
				t.Errorf("%d partitions, %s: %s", partitions, name, diff)
			}
		}
		got, _ := walk(t, e, queue.DocFilter{Limit: 4, Status: ptr(queue.Pending)})
		if !slices.IsSortedFunc(got, func(a, b string) int {
			da, _ := e.Doc(ctx, "a", a)
			db, _ := e.Doc(ctx, "a", b)
			return da.Next.Compare(db.Next)
		}) {
			t.Errorf("pending documents are not listed by date: %v", got)
		}
		held := pick(t, e, queue.PickParams{Limit: 5, Version: 1, Worker: "w1"})
		if got, _ := walk(t, e, queue.DocFilter{Limit: 2, Worker: "w1"}); len(got) != len(held) {
			t.Errorf("%v are held by w1, %v are listed", subjects(held), got)
		}
		if got, _ := walk(t, e, queue.DocFilter{Limit: 2, Status: ptr(queue.Active)}); len(got) != len(held) {
			t.Errorf("%v are active, %v are listed", subjects(held), got)
		}
		for _, d := range held {
			if _, err := e.Resolve(ctx, "a", []queue.Resolution{{Subject: d.Subject, Lease: d.Lease, Action: "complete"}}); err != nil {
				t.Fatal(err)
			}
		}
		done, _ := walk(t, e, queue.DocFilter{Limit: 2, Status: ptr(queue.Completed)})
		slices.Reverse(done)
		if diff := cmp.Diff(subjects(held), done); diff != "" {
			t.Errorf("completed, newest first: %s", diff)
		}
	}
}

func TestAListThatFindsLittleGoesOnBehindWhatItLookedAt(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	e := start(t, url, "n")
	put(t, e, "a", `{}`)
	if _, err := dbtest.Open(t, url).Exec(t.Context(), `
		select count(*)
		from (select array_agg(i::text) as s, array_agg((i = 24999)::integer) as v from generate_series(10000, 34999) i group by i / 10000) g
			cross join lateral fetchq.doc_push_many('a', g.s, null, g.v)`); err != nil {
		t.Fatal(err)
	}
	got, pages := walk(t, e, queue.DocFilter{Limit: 10, Version: ptr(1)})
	if diff := cmp.Diff([]string{"24999"}, got); diff != "" || pages != 3 {
		t.Errorf("%d pages, 3 are wanted; %s", pages, diff)
	}
}

// afterLook is told when the first look of a page has ended, before the second begins.
type afterLook struct{ act func() }

type lookKey struct{}

func (afterLook) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if strings.Contains(q.SQL, "scanned where true and") {
		return context.WithValue(ctx, lookKey{}, true)
	}
	return ctx
}

func (a afterLook) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	if ctx.Value(lookKey{}) != nil {
		a.act()
	}
}

func TestAPageEndsWhereItLookedAlsoWhenDocumentsGoMeanwhile(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	put(t, start(t, url, "n"), "a", `{}`)
	db := dbtest.Open(t, url)
	if _, err := db.Exec(t.Context(), `
		select count(*)
		from (select array_agg(i::text) as s, array_agg((i = 20003)::integer) as v from generate_series(10000, 25999) i group by i / 10000) g
			cross join lateral fetchq.doc_push_many('a', g.s, null, g.v)`); err != nil {
		t.Fatal(err)
	}
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	gone := 0
	cfg.ConnConfig.Tracer = afterLook{func() {
		if gone++; gone == 1 {
			if _, err := db.Exec(t.Context(), `delete from q_a.docs where subject between '10000' and '10009'`); err != nil {
				t.Error(err)
			}
		}
	}}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	e := queue.New(pool, queue.Options{Log: slog.New(slog.DiscardHandler), Node: "m", Now: time.Now})
	got, _ := walk(t, e, queue.DocFilter{Limit: 10, Version: ptr(1)})
	if diff := cmp.Diff([]string{"20003"}, got); diff != "" || gone == 0 {
		t.Errorf("%d looks; %s", gone, diff)
	}
}

func TestListsNameWhatTheyRefuse(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	for _, tt := range []struct {
		f     queue.DocFilter
		field string
	}{
		{queue.DocFilter{Limit: 0}, "limit"}, {queue.DocFilter{Limit: 201}, "limit"}, {queue.DocFilter{Limit: 1, Cursor: "x"}, "cursor"},
		{queue.DocFilter{Limit: 1, Order: "size"}, "order"}, {queue.DocFilter{Limit: 1, Order: queue.ByNext}, "order"},
		{queue.DocFilter{Limit: 1, Order: queue.ByLast, Status: ptr(queue.Planned)}, "order"},
		{queue.DocFilter{Limit: 1, Status: ptr(queue.Killed), Cursor: wire.EncodeCursor("x", "y")}, "cursor"},
		{queue.DocFilter{Limit: 1, Status: ptr(queue.Killed), Before: wire.EncodeCursor("x", "y")}, "before"},
		{queue.DocFilter{Limit: 1, Status: ptr(queue.Planned), Before: "x"}, "before"},
		{queue.DocFilter{Limit: 1, Before: wire.EncodeCursor("x", "y")}, "before"},
		{queue.DocFilter{Limit: 1, Cursor: wire.EncodeCursor("x"), Before: wire.EncodeCursor("y")}, "before"},
	} {
		_, err := e.Docs(ctx, "a", tt.f)
		if field(err) != tt.field {
			t.Errorf("%+v: %v; a refusal of %s is wanted", tt.f, err, tt.field)
		}
	}
}

// field returns which field an error refuses; "" where it is no refusal.
func field(err error) string {
	var e *errs.Error
	if errs.Of(err) != errs.Invalid || !errors.As(err, &e) {
		return ""
	}
	return e.Field
}

func TestLogsAreListedNewestFirstAndFiltered(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	push(t, e, queue.Push{Subject: "x"})
	for i := range 5 {
		if err := e.AddLogs(ctx, "a", "w1", []queue.NewLog{{Subject: "x", Message: fmt.Sprintf("Note %d", i), Details: []byte(`{"n":1}`)}}); err != nil {
			t.Fatal(err)
		}
	}
	held := pick(t, e, queue.PickParams{Worker: "w2"})[0]
	if _, err := e.Resolve(ctx, "a", []queue.Resolution{{Subject: "x", Lease: held.Lease, Action: "reject", Message: "boom", RefID: "r-1"}}); err != nil {
		t.Fatal(err)
	}
	list := func(f queue.LogFilter) []string {
		t.Helper()
		var out []string
		for {
			page, err := e.Logs(ctx, "a", f)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range page.Logs {
				out = append(out, l.Message)
			}
			if f.Cursor = page.Next; f.Cursor == "" {
				return out
			}
		}
	}
	all := []string{"boom", "Note 4", "Note 3", "Note 2", "Note 1", "Note 0"}
	for name, tt := range map[string]struct {
		f    queue.LogFilter
		want []string
	}{
		"all":     {queue.LogFilter{Limit: 4}, all},
		"errors":  {queue.LogFilter{Limit: 1, Kind: queue.KindError}, all[:1]},
		"text":    {queue.LogFilter{Limit: 1, Text: "note"}, all[1:]},
		"subject": {queue.LogFilter{Limit: 2, Subject: "x", Kind: queue.KindNote}, all[1:]},
		"none":    {queue.LogFilter{Limit: 2, Subject: "y"}, nil},
		"to":      {queue.LogFilter{Limit: 2, To: time.Now().Add(-time.Hour)}, nil},
		"from":    {queue.LogFilter{Limit: 2, From: time.Now().Add(-time.Hour)}, all},
	} {
		if diff := cmp.Diff(tt.want, list(tt.f)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	traced, err := e.Trace(ctx, "x", nil)
	docs, logs := traced.Documents, traced.Logs
	if err != nil || len(docs) != 1 || len(logs) != 6 || docs[0].Queue != "a" || *logs[0].Worker != "w2" || *logs[0].Attempt != 1 {
		t.Errorf("trace: %+v %+v %v", docs, logs, err)
	}
}
