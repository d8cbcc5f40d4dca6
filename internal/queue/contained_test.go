package queue_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
)

func TestListsAreFilteredByDatesAndPayloads(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int{1, 3} {
		db := dbtest.New(t)
		e := stoppedClock(t, db)
		put(t, e, "a", fmt.Sprintf(`{"partitions":%d}`, partitions))
		// Of each status 12 documents, an hour after the other: created, due and finished then, the second of each two with tag x.
		exec(t, db, `insert into q_a.docs (subject, seq, lease, next_iteration, created_at, last_iteration, size, version, status, payload)
			select status || ' ' || to_char(i, 'FM00'), i, 1, t.t, t, t.t, 40, i % 3, status, jsonb_build_object('tags', jsonb_build_array('x', 'y'), 'at', jsonb_build_object('n', i))
			from generate_series(1, 12) i, unnest(array[0, 1, 2, 3, -1]) status, lateral (select '2026-01-01'::timestamptz + i * interval '1 hour' as t) t`)
		hour := func(i int) *time.Time { return ptr(time.Date(2026, 1, 1, i, 0, 0, 0, time.UTC)) }
		span := queue.Span{From: hour(4), To: hour(9)}
		want := func(status queue.Status, numbers ...int) (all []string) {
			for _, i := range numbers {
				all = append(all, fmt.Sprintf("%d %02d", status, i))
			}
			return all
		}
		for name, tt := range map[string]struct {
			f    queue.DocFilter
			want []string
		}{
			"due planned":         {queue.DocFilter{Status: ptr(queue.Planned), Due: span}, want(queue.Planned, 4, 5, 6, 7, 8)},
			"due pending":         {queue.DocFilter{Status: ptr(queue.Pending), Due: span}, want(queue.Pending, 4, 5, 6, 7, 8)},
			"due from":            {queue.DocFilter{Status: ptr(queue.Pending), Due: queue.Span{From: hour(10)}}, want(queue.Pending, 10, 11, 12)},
			"due before":          {queue.DocFilter{Status: ptr(queue.Planned), Due: queue.Span{To: hour(3)}}, want(queue.Planned, 1, 2)},
			"due by subject":      {queue.DocFilter{Status: ptr(queue.Pending), Due: span, Order: queue.BySubject}, want(queue.Pending, 4, 5, 6, 7, 8)},
			"due, payload":        {queue.DocFilter{Status: ptr(queue.Planned), Due: span, Payload: []byte(`{"at":{"n":5}}`)}, want(queue.Planned, 5)},
			"finished":            {queue.DocFilter{Status: ptr(queue.Completed), Finished: span}, want(queue.Completed, 8, 7, 6, 5, 4)},
			"finished by subject": {queue.DocFilter{Status: ptr(queue.Killed), Finished: span, SubjectPrefix: "-1"}, want(queue.Killed, 4, 5, 6, 7, 8)},
			"finished, version":   {queue.DocFilter{Status: ptr(queue.Killed), Finished: span, Version: ptr(1)}, want(queue.Killed, 7, 4)},
			"created":             {queue.DocFilter{Status: ptr(queue.Active), Created: span}, want(queue.Active, 4, 5, 6, 7, 8)},
			"created planned":     {queue.DocFilter{Status: ptr(queue.Planned), Created: queue.Span{To: hour(2)}}, want(queue.Planned, 1)},
			"payload":             {queue.DocFilter{Payload: []byte(`{"at":{"n":12}}`)}, []string{"-1 12", "0 12", "1 12", "2 12", "3 12"}},
			"payload of one":      {queue.DocFilter{Status: ptr(queue.Killed), Payload: []byte(`{"tags":["y"],"at":{"n":2}}`)}, want(queue.Killed, 2)},
			"payload of none":     {queue.DocFilter{Payload: []byte(`{"tags":["z"]}`)}, nil},
		} {
			for _, limit := range []int{2, 200} {
				tt.f.Limit = limit
				if got, _ := walk(t, e, tt.f); !slices.Equal(got, tt.want) {
					t.Errorf("%d partitions, %s, %d a page: %v, want %v", partitions, name, limit, got, tt.want)
				}
				if err := wander(dice(t), 40, tt.want, docPager(t.Context(), e, "a", tt.f), func() error { return nil }); err != nil && tt.want != nil {
					t.Errorf("%d partitions, %s: %v", partitions, name, err)
				}
			}
		}
	}
}

func TestFiltersNameWhatTheyRefuse(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	now := time.Now()
	for _, tt := range []struct {
		f     queue.DocFilter
		field string
	}{
		{queue.DocFilter{Due: queue.Span{From: &now}}, "due_after"}, {queue.DocFilter{Due: queue.Span{To: &now}, Status: ptr(queue.Active)}, "due_before"},
		{queue.DocFilter{Finished: queue.Span{To: &now}, Status: ptr(queue.Pending)}, "finished_before"},
		{queue.DocFilter{Payload: []byte(`["secret"]`)}, "payload"}, {queue.DocFilter{Payload: []byte(`{"secret"`)}, "payload"}, {queue.DocFilter{Payload: []byte{}}, "payload"},
		{queue.DocFilter{Payload: []byte(`{"a":"\u0000"}`)}, "payload"}, {queue.DocFilter{Payload: []byte(`{"a":"` + strings.Repeat("x", queue.MaxContained) + `"}`)}, "payload"},
		{queue.DocFilter{Order: queue.ByNext, Status: ptr(queue.Pending), Payload: []byte(`{}`)}, "order"},
		{queue.DocFilter{Order: queue.ByLast, Status: ptr(queue.Killed), SubjectPrefix: "a"}, "order"},
	} {
		tt.f.Limit = 1
		_, err := e.Docs(ctx, "a", tt.f)
		if field(err) != tt.field || strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%+v: %v; a refusal of %s is wanted", tt.f, err, tt.field)
		}
	}
}

// TestAPageLooksIntoSoManyBytesOfPayloads has payloads of 100 KB each, of which a page looks into 8 MiB.
func TestAPageLooksIntoSoManyBytesOfPayloads(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	e := stoppedClock(t, db)
	put(t, e, "a", `{}`)
	exec(t, db, `insert into q_a.docs (subject, seq, lease, next_iteration, created_at, last_iteration, size, version, status, payload)
		select i::text, i, 1, now(), clock_timestamp(), now() - i * interval '1 second', 100000, 0, 3, jsonb_build_object('n', i) from generate_series(1001, 1300) i`)
	for _, order := range []string{queue.BySubject, queue.ByLast} {
		got, pages := walk(t, e, queue.DocFilter{Limit: 10, Status: ptr(queue.Completed), Order: order, Payload: []byte(`{"n":1290}`)})
		if diff := cmp.Diff([]string{"1290"}, got); diff != "" || pages != 4 { // of 84 documents
			t.Errorf("by %s %d pages, 4 are wanted; %s", order, pages, diff)
		}
		if err := wander(dice(t), 30, []string{"1290"}, docPager(t.Context(), e, "a", queue.DocFilter{Status: ptr(queue.Completed), Order: order, Payload: []byte(`{"n":1290}`)}),
			func() error { return nil }); err != nil {
			t.Errorf("by %s: %v", order, err)
		}
	}
}

func TestPayloadsAreFoundByTheirIndex(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int{1, 3} {
		url := dbtest.URL(t)
		e := start(t, url, "n")
		put(t, e, "a", fmt.Sprintf(`{"partitions":%d}`, partitions))
		exec(t, e.DB(), `insert into q_a.docs (subject, seq, lease, next_iteration, created_at, last_iteration, size, version, status, payload)
			select i::text, i, 1, now(), clock_timestamp(), now() - i * interval '1 second', 40, i % 2, 3, jsonb_build_object('n', i, 'all', true, 'late', i > 30000) from generate_series(10000, 39999) i`)
		rare := queue.DocFilter{Limit: 5, Payload: []byte(`{"n":39000}`)}
		if page, err := e.Docs(t.Context(), "a", rare); err != nil || len(page.Documents) != 0 || page.Next == "" {
			t.Errorf("without an index a page finds %d documents, next %q, %v", len(page.Documents), page.Next, err)
		}
		if _, err := e.Patch(t.Context(), "a", []byte(`{"payload_index":true}`)); err != nil {
			t.Fatal(err)
		}
		if made, err := e.Index(t.Context(), "a"); err != nil || made.Items != int64(partitions) {
			t.Fatalf("%d indexes are made, %d are wanted; %v", made.Items, partitions, err)
		}
		by, plans := watched(t, url)
		by.WaitForIndex(time.Minute)
		before := len(plans())
		page, err := by.Docs(t.Context(), "a", rare)
		if err != nil || len(page.Documents) != 1 || page.Next+page.Previous != "" {
			t.Errorf("by the index a page finds %d documents, next %q, %v", len(page.Documents), page.Next, err)
		}
		if used := indexesOf(plans()[before:]); len(used) == 0 || slices.ContainsFunc(used, func(name string) bool { return !isIndex(name, "docs_payload") && !strings.HasSuffix(name, "_payload") }) {
			t.Errorf("payloads are found by %v", used)
		}
		for _, f := range []queue.DocFilter{
			{Payload: []byte(`{"n":39001}`), Version: ptr(1)}, {Payload: []byte(`{"n":39001}`), Status: ptr(queue.Completed)}, {Payload: []byte(`{"n":39001}`), SubjectPrefix: "39"},
		} {
			if err := wander(dice(t), 20, []string{"39001"}, docPager(t.Context(), by, "a", f), func() error { return nil }); err != nil {
				t.Errorf("%+v: %v", f, err)
			}
		}
		all := queue.DocFilter{Limit: 50, Payload: []byte(`{"all":true}`)}
		if page, err := by.Docs(t.Context(), "a", all); err != nil || len(page.Documents) != 50 || page.Next == "" {
			t.Errorf("of what all contain a page has %d documents, next %q, %v", len(page.Documents), page.Next, err)
		}
		by.WaitForIndex(time.Millisecond) // for 9,999 documents, by which none would be found among the first
		if page, err := by.Docs(t.Context(), "a", queue.DocFilter{Limit: 5, Payload: []byte(`{"late":true}`)}); err != nil || len(page.Documents) != 0 || page.Next == "" {
			t.Errorf("where the index takes too long a page finds %d documents, next %q, %v", len(page.Documents), page.Next, err)
		}
		if _, err := e.Patch(t.Context(), "a", []byte(`{"payload_index":false}`)); err != nil {
			t.Fatal(err)
		}
		if gone, err := e.Index(t.Context(), "a"); err != nil || gone.Items != int64(partitions) {
			t.Errorf("%d indexes are removed, %d are wanted; %v", gone.Items, partitions, err)
		}
	}
}

// indexesOf are the indexes by which documents are found in plans.
func indexesOf(plans []planNode) (names []string) {
	for _, p := range plans {
		if p.Index != "" {
			names = append(names, p.Index)
		}
		names = append(names, indexesOf(p.Plans)...)
	}
	return slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, "docs") })
}

func TestAheadCountsWhatIsPickedBefore(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int{1, 3} {
		db := dbtest.New(t)
		e := stoppedClock(t, db)
		put(t, e, "a", fmt.Sprintf(`{"partitions":%d}`, partitions))
		exec(t, db, `insert into q_a.docs (subject, seq, lease, next_iteration, created_at, size, version, priority, status, payload)
			select i::text, i, 1, now() - i % 10 * interval '1 minute', now(), 2, i % 2, i % 3, case when i % 5 = 0 then 0 else 1 end, '{}' from generate_series(1, 12000) i`)
		for _, subject := range []string{"1", "7", "302", "11999"} {
			d, err := e.Doc(t.Context(), "a", subject)
			if err != nil {
				t.Fatal(err)
			}
			want := one[int](t, db, `select count(*)::int from q_a.docs o join q_a.docs d on d.subject = $1 and o.version = d.version and o.status = 1
				and (-o.priority, o.next_iteration, o.seq) < (-d.priority, d.next_iteration, d.seq)`, subject)
			if n, known, err := e.Ahead(t.Context(), d); err != nil || !known || n != want {
				t.Errorf("%d stand before %s, want %d; %v, %v", n, subject, want, known, err)
			}
		}
		exec(t, db, `update q_a.docs set version = 0, priority = 5 where subject <> '2'`)
		d, _ := e.Doc(t.Context(), "a", "2")
		if n, known, err := e.Ahead(t.Context(), d); err != nil || known && n > queue.MostAhead {
			t.Errorf("%d stand before it, %v, %v", n, known, err)
		}
	}
}
