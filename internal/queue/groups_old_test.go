package queue_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
)

func TestAQueueFromBeforeGetsItsIndexAndItsNewestGroups(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	e := stoppedClock(t, db)
	put(t, e, "a", `{}`)
	write(t, db, "a", 1, "timeout", 1, 2, 3)
	exec(t, db, `drop index q_a.logs_fingerprint`)
	for range 2 {
		if _, err := e.Index(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	if !one[bool](t, db, `select indisvalid from pg_index where indexrelid = 'q_a.logs_fingerprint'::regclass`) {
		t.Error("the index was not made")
	}
	if diff := cmp.Diff([]string{"timeout …: 3 of 3, versions [] in a"}, groups(t, e, queue.GroupFilter{})); diff != "" {
		t.Error(diff)
	}
}

func TestAQueueThatIsAttachedHasItsGroupsAgain(t *testing.T) {
	t.Parallel()
	_, e := engine(t)
	push(t, e, queue.Push{Subject: "x"}, queue.Push{Subject: "y"})
	fail(t, e, 0, func(int) string { return "timeout after 5 s" })
	fold(t, e, "a")
	const all = `select string_agg(concat_ws(' ', queue, fingerprint, first_seen, last_seen, errors, documents, pattern, sample), E'\n' order by fingerprint) from fetchq.error_groups`
	const counts = `select string_agg(concat_ws(' ', queue, fingerprint, step, slot, errors), E'\n' order by fingerprint, step, slot) from fetchq.error_counts`
	was, counted := one[string](t, e.DB(), all), one[string](t, e.DB(), counts)
	exec(t, e.DB(), `select fetchq.errors_forget('a')`)
	exec(t, e.DB(), `delete from fetchq.queues where name = 'a'`)
	exec(t, e.DB(), `alter table q_a.logs drop column fingerprint; drop table q_a.error_deltas`) // as an older version left it
	exec(t, e.DB(), `select fetchq.queue_attach('a')`)
	if diff := cmp.Diff(was, one[string](t, e.DB(), all)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(counted, one[string](t, e.DB(), counts)); diff != "" {
		t.Error(diff)
	}
	exec(t, e.DB(), `select fetchq.queue_rename('a', 'b')`)
	if got := groups(t, e, queue.GroupFilter{Queues: []string{"b"}}); len(got) != 1 {
		t.Errorf("the groups of the renamed queue are %q", got)
	}
	exec(t, e.DB(), `select fetchq.queue_drop('b')`)
	if n := one[int](t, e.DB(), `select (select count(*) from fetchq.error_groups) + (select count(*) from fetchq.error_counts)`); n != 0 {
		t.Errorf("%d rows of a queue that was dropped", n)
	}
}

// TestNoMessageIsTooMuchForItsPattern has messages that nobody meant: what is looked at of them is bounded.
func TestNoMessageIsTooMuchForItsPattern(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	for name, message := range map[string]string{
		"empty": "", "blanks": strings.Repeat(" ", 9000), "quotes": strings.Repeat(`"'`, 9000), "braces": strings.Repeat("{:", 9000), "digits": strings.Repeat("1.", 9000),
		"slashes": strings.Repeat("/a", 9000), "lines": strings.Repeat("\n at x", 9000), "trace": "Traceback (" + strings.Repeat("\n  File \"", 9000),
		"dots": strings.Repeat("a.", 9000), "colons": strings.Repeat("a:", 9000), "letters": strings.Repeat("a", 100_000), "goroutine": "x\ngoroutine 1" + strings.Repeat("(", 9000),
		"ids": strings.Repeat("id ", 9000), "wide": strings.Repeat("日本", 9000), "controls": "\x01\x02\u202e",
	} {
		if n := one[int](t, db, `select octet_length(fetchq.error_pattern($1))`, message); n > 1300 {
			t.Errorf("%s: the pattern has %d bytes", name, n)
		}
		if got := one[bool](t, db, `select fetchq.error_fingerprint($1) is not null`, message); !got {
			t.Errorf("%s has no fingerprint", name)
		}
	}
}
