package queue_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/queue"
)

// groups are the groups of errors of queues, as text: pattern, errors, documents, versions.
func groups(t *testing.T, e *queue.Engine, f queue.GroupFilter) []string {
	t.Helper()
	f.Limit = 200
	found, err := e.ErrorGroups(t.Context(), f)
	if err != nil {
		t.Fatalf("%+v: %v", f, err)
	}
	lines := []string{}
	for _, g := range found.Groups {
		lines = append(lines, fmt.Sprintf("%s: %d of %d, versions %v in %s", g.Pattern, g.Errors, g.Documents, g.Versions, strings.Join(g.Queues, " ")))
	}
	return lines
}

// fail picks all documents of a version that are due and rejects them with a message.
func fail(t *testing.T, e *queue.Engine, version int, message func(i int) string) {
	t.Helper()
	var ends []queue.Resolution
	for i, d := range pick(t, e, queue.PickParams{Version: version, Limit: 100, Worker: "w"}) {
		said := message(i)
		ends = append(ends, queue.Resolution{Subject: d.Subject, Lease: d.Lease, Action: "reject", Message: said})
	}
	if _, err := e.Resolve(t.Context(), "a", ends); err != nil {
		t.Fatal(err)
	}
}

func TestErrorsThatSayTheSameAreOneGroupByEveryDoor(t *testing.T) {
	t.Parallel()
	_, e := engine(t)
	put(t, e, "b", `{}`)
	three := 3
	push(t, e, queue.Push{Subject: "x"}, queue.Push{Subject: "y"}, queue.Push{Subject: "z", Version: &three})
	timeout := func(i int) string { return fmt.Sprintf("timeout after %d ms", 100+i) }
	fail(t, e, 0, timeout)
	fail(t, e, 3, timeout)
	exec(t, e.DB(), `select fetchq.log_add_many('b', 1, array['x', null], array['timeout after 7 s', 'the disk is full'])`)
	exec(t, e.DB(), `select fetchq.log_add_many('b', 0, array['x'], array['timeout after 8 s'])`)
	fold(t, e, "a")
	fold(t, e, "b")
	want := []string{"timeout after …: 4 of 4, versions [0 3] in a b", "the disk is full: 1 of 0, versions [] in b"}
	if diff := cmp.Diff(want, groups(t, e, queue.GroupFilter{})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"the disk is full: 1 of 0, versions [] in b"}, groups(t, e, queue.GroupFilter{Text: "DISK"})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"timeout after …: 3 of 3, versions [0 3] in a"}, groups(t, e, queue.GroupFilter{Queues: []string{"a"}, Version: &three, From: time.Now().Add(-time.Hour)})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{}, groups(t, e, queue.GroupFilter{To: time.Now().Add(-time.Hour)})); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"a", "b"} {
		if n := one[int](t, e.DB(), `select count(*) from q_`+name+`.logs where fingerprint is distinct from case when kind = 1 then fetchq.error_fingerprint(message) end`); n != 0 {
			t.Errorf("%d lines of %s have another fingerprint than their message", n, name)
		}
	}
	code := one[string](t, e.DB(), `select fetchq.fingerprint_text(fetchq.error_fingerprint('timeout after 1 s'))`)
	page, err := e.Logs(t.Context(), "a", queue.LogFilter{Fingerprint: code, Limit: 2})
	if err != nil || len(page.Logs) != 2 || page.Next == "" || page.Logs[0].Fingerprint != code {
		t.Errorf("the first page of the group has %+v, error %v", page, err)
	}
	if lines, _ := allLogs(t, e, queue.ErrorFilter{Fingerprint: code, Limit: 3}); len(lines) != 4 {
		t.Errorf("the group has the lines %q in all queues", lines)
	}
	lately, err := e.GroupLately(t.Context(), "a", code, queue.MaxLately)
	if err != nil || lately.Lines != 3 || lately.AllDocuments != 3 || len(lately.Workers) != 1 || lately.Workers[0] != (queue.Share{Worker: "w", Errors: 3}) ||
		*lately.Documents[0].Status != queue.Planned {
		t.Errorf("the group tells %+v, error %v", lately, err)
	}
	planned := queue.Planned
	if diff := cmp.Diff([]queue.Standings{{Status: &planned, Documents: 3}}, lately.Standing); diff != "" {
		t.Error("how its documents stand:", diff)
	}
	if few, err := e.GroupLately(t.Context(), "a", code, 2); err != nil || few.Lines != 2 || few.AllDocuments != 2 {
		t.Errorf("two lines tell %+v, error %v", few, err)
	}
	for what, want := range map[string]struct {
		filter queue.GroupFilter
		errors int64
	}{
		"all": {queue.GroupFilter{}, 5}, "of one queue": {queue.GroupFilter{Queues: []string{"b"}}, 2}, "with a text": {queue.GroupFilter{Text: "DISK"}, 1},
		"of a version": {queue.GroupFilter{Version: &three}, 3}, "before": {queue.GroupFilter{To: time.Now().Add(-time.Hour)}, 0},
	} {
		for _, from := range []time.Time{{}, time.Now().Add(-24 * time.Hour)} {
			want.filter.From = from
			course, err := e.ErrorCourse(t.Context(), want.filter)
			n := int64(0)
			for _, c := range course.Counts {
				n += c
			}
			if err != nil || n != want.errors || len(course.Counts) == 0 || course.Step <= 0 {
				t.Errorf("the course of errors, %s, has %d of them in %d steps, error %v; %d are wanted", what, n, len(course.Counts), err, want.errors)
			}
		}
	}
}

func TestEachErrorOfADocumentIsKept(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	push(t, e, queue.Push{Subject: "x"})
	said := []string{"timeout after 1 s", "the disk is full", "timeout after 2 s"}
	for _, message := range said {
		fail(t, e, 0, func(int) string { return message })
		if _, err := e.Act(ctx, "a", []queue.Resolution{{Subject: "x", Action: "run_now"}}); err != nil {
			t.Fatal(err)
		}
		fold(t, e, "a")
	}
	page, err := e.Logs(ctx, "a", queue.LogFilter{Subject: "x", Kind: queue.KindError, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, l := range slices.Backward(page.Logs) {
		kept = append(kept, l.Message)
	}
	if diff := cmp.Diff(said, kept); diff != "" {
		t.Error("the errors of the document, the oldest first:", diff)
	}
	if diff := cmp.Diff([]string{"timeout after …: 2 of 1, versions [0] in a", "the disk is full: 1 of 1, versions [0] in a"}, groups(t, e, queue.GroupFilter{})); diff != "" {
		t.Error(diff)
	}
}

func TestALostLeaseIsAnErrorOfAGroup(t *testing.T) {
	t.Parallel()
	_, e := engine(t)
	push(t, e, queue.Push{Subject: "x"})
	pick(t, e, queue.PickParams{Limit: 1})
	exec(t, e.DB(), `select fetchq.mnt_orphans('a', p_now => clock_timestamp() + interval '1 hour')`)
	exec(t, e.DB(), `select fetchq.mnt_fold('a')`)
	if diff := cmp.Diff([]string{"the lease ran out: 1 of 1, versions [0] in a"}, groups(t, e, queue.GroupFilter{To: time.Now().Add(2 * time.Hour)})); diff != "" {
		t.Error(diff)
	}
}

func TestWorkersThatFailAlikeDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	_, e := engine(t)
	push(t, e, queue.Push{Subject: "x"}, queue.Push{Subject: "y"})
	docs := pick(t, e, queue.PickParams{Limit: 2})
	const reject = `select fetchq.doc_resolve_many('a', array[$1], array[$2::bigint], array['reject'], p_messages => array['timeout'])`
	tx, err := e.DB().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context()) //nolint:errcheck // it is over by then
	if _, err := tx.Exec(t.Context(), reject, docs[0].Subject, docs[0].Lease); err != nil {
		t.Fatal(err)
	}
	conn, err := e.DB().Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(t.Context(), `set lock_timeout = '1s'`); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), reject, docs[1].Subject, docs[1].Lease); err != nil {
		t.Error("a worker waited for another that failed alike:", err)
	}
	if _, err := conn.Exec(t.Context(), `select fetchq.mnt_fold('a')`); err != nil {
		t.Error("the fold waited for a worker:", err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	fold(t, e, "a")
	if diff := cmp.Diff([]string{"timeout: 2 of 2, versions [0] in a"}, groups(t, e, queue.GroupFilter{})); diff != "" {
		t.Error(diff)
	}
}

func TestAQueueHasAThousandGroupsAndOneForTheRest(t *testing.T) {
	t.Parallel()
	_, e := engine(t)
	// Letters are no variable part: each of these is a kind of its own.
	for _, span := range [][2]int{{1, 1000}, {1001, 1100}} {
		exec(t, e.DB(), `select fetchq.log_add_many('a', 1, array_fill(null::text, array[$2::int - $1::int + 1]),
			array(select 'kind ' || translate(lpad(i::text, 4, '0'), '0123456789', 'abcdefghij') from generate_series($1, $2) i))`, span[0], span[1])
		fold(t, e, "a")
	}
	exec(t, e.DB(), `select fetchq.log_add_many('a', 1, array[null, null], array['kind aaab', 'a late kind'])`)
	fold(t, e, "a")
	if n := one[int](t, e.DB(), `select count(*) from fetchq.error_groups`); n != queue.MaxGroups+1 {
		t.Errorf("%d groups", n)
	}
	other, err := e.ErrorGroups(t.Context(), queue.GroupFilter{Fingerprint: queue.OtherErrors, Limit: 1})
	if err != nil || other.Groups[0].Errors != 101 {
		t.Errorf("the rest is %+v, error %v", other.Groups, err)
	}
	if n := one[int](t, e.DB(), `select sum(errors) from fetchq.error_groups`); n != 1102 {
		t.Errorf("%d errors are counted", n)
	}
	// Those that are silent for a day make room.
	exec(t, e.DB(), `select fetchq.mnt_expire('a', p_now => clock_timestamp() + interval '23 hours')`)
	exec(t, e.DB(), `update fetchq.error_groups set last_seen = last_seen - interval '25 hours' where pattern < 'kind aab' and fingerprint <> 0`)
	exec(t, e.DB(), `select fetchq.mnt_expire('a')`)
	exec(t, e.DB(), `select fetchq.log_add_many('a', 1, array[null], array['a late kind'])`)
	fold(t, e, "a")
	if diff := cmp.Diff([]string{": 101 of 0, versions [] in a", "a late kind: 1 of 0, versions [] in a"}, groups(t, e, queue.GroupFilter{Text: "late kind"})); diff != "" {
		t.Error(diff)
	}
}

func TestManyDocumentsOfAGroupAreEstimated(t *testing.T) {
	t.Parallel()
	_, e := engine(t)
	exec(t, e.DB(), `select fetchq.log_add_many('a', 1, array(select 's' || i from generate_series(1, 100) i), array_fill('timeout'::text, array[100]))`)
	fold(t, e, "a")
	found := func() queue.ErrorGroup {
		t.Helper()
		all, err := e.ErrorGroups(t.Context(), queue.GroupFilter{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		return all.Groups[0]
	}
	if g := found(); g.Documents != 100 || !g.Exact {
		t.Errorf("%d documents, exact %v", g.Documents, g.Exact)
	}
	for i := range 20 {
		exec(t, e.DB(), `select fetchq.log_add_many('a', 1, array(select 's' || i from generate_series($1::int, $1 + 999) i), array_fill('timeout'::text, array[1000]))`, i*500)
	}
	fold(t, e, "a")
	if g := found(); math.Abs(float64(g.Documents)-10_500) > 3_000 || g.Exact || g.Errors != 20_100 {
		t.Errorf("%d documents of %d errors, exact %v; there are 10500", g.Documents, g.Errors, g.Exact)
	}
}

func TestADocumentThatFailsOftenIsCountedOnce(t *testing.T) {
	t.Parallel()
	_, e := engine(t)
	const add = `select fetchq.log_add_many('a', 1, $1::text[], array_fill($2::text, array[cardinality($1::text[])]))`
	for _, subjects := range [][]string{{"x", "x", "y"}, {"y", "z"}, {"z"}} {
		exec(t, e.DB(), add, subjects, "timeout")
		fold(t, e, "a")
	}
	// One of two subjects has the lesser hash, and more lines in a call than hashes are kept.
	exec(t, e.DB(), add, append(slices.Repeat([]string{"x"}, 200), "y"), "no route")
	exec(t, e.DB(), add, append(slices.Repeat([]string{"y"}, 200), "x"), "no name")
	fold(t, e, "a")
	want := []string{"no name: 201 of 2, versions [] in a", "no route: 201 of 2, versions [] in a", "timeout: 6 of 3, versions [] in a"}
	got := groups(t, e, queue.GroupFilter{})
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestGroupsAndLinesAreKeptAsLongAsTheQueueSays(t *testing.T) {
	t.Parallel()
	_, e := engine(t)
	put(t, e, "a", `{"logs_retention":"2 days","logs_rows":1000}`)
	const add = `select fetchq.log_add_many('a', 1, array_fill('x'::text, array[$2::int]), array_fill($1::text, array[$2]), p_now => clock_timestamp() - $3::interval)`
	exec(t, e.DB(), add, "old", 1, "3 days")
	exec(t, e.DB(), add, "lately", 700, "2 hours")
	exec(t, e.DB(), add, "now", 800, "0")
	fold(t, e, "a")
	if _, err := e.Expire(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if got, want := one[string](t, e.DB(), `select string_agg(message || ' ' || n, ', ' order by message) from (select message, count(*) n from q_a.logs group by message) t`), "lately 200, now 800"; got != want {
		t.Errorf("the log has %s; %s is wanted", got, want)
	}
	if diff := cmp.Diff([]string{"now: 800 of 1, versions [] in a", "lately: 700 of 1, versions [] in a"}, groups(t, e, queue.GroupFilter{})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"now: 800 of 1, versions [] in a"}, groups(t, e, queue.GroupFilter{From: time.Now().Add(-90 * time.Minute)})); diff != "" {
		t.Error(diff)
	}
	exec(t, e.DB(), `select fetchq.mnt_expire('a', p_now => clock_timestamp() + interval '30 hours')`)
	if n := one[int](t, e.DB(), `select count(*) from fetchq.error_counts where step = 300`); n != 0 {
		t.Errorf("%d fine counts are left after a day", n)
	}
	exec(t, e.DB(), `select fetchq.queue_truncate('a', true)`)
	if diff := cmp.Diff([]string{}, groups(t, e, queue.GroupFilter{})); diff != "" {
		t.Error(diff)
	}
	if n := one[int](t, e.DB(), `select count(*) from fetchq.error_counts`); n != 0 {
		t.Errorf("%d counts are left of a queue without lines", n)
	}
}
