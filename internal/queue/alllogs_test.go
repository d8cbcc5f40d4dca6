package queue_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

// allLogs walks all pages and returns the lines as queue/message.
func allLogs(t *testing.T, e *queue.Engine, f queue.ErrorFilter) (lines []string, pages int) {
	t.Helper()
	lines = []string{}
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		logs, next, err := e.AllLogs(ctx, f)
		cancel()
		if err != nil {
			t.Fatalf("%+v: %v", f, err)
		}
		pages++
		for _, l := range logs {
			lines = append(lines, l.Queue+"/"+l.Message)
		}
		if next == "" {
			return lines, pages
		}
		f.Cursor = next
	}
}

// noon is when the lines of these tests are counted back from.
var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// write puts lines into the log of a queue, one for each of the minutes before noon, and makes the queue know of them.
func write(t *testing.T, db *pgxpool.Pool, name string, kind int, word string, minutes ...int) {
	t.Helper()
	exec(t, db, `insert into q_`+name+`.logs (created_at, kind, subject, message)
		select $4::timestamptz - m * interval '1 minute', $1, 'subject ' || m % 3, $2 || ' ' || m from unnest($3::integer[]) m`, kind, word, minutes, noon)
	exec(t, db, `select fetchq.queue_recount($1)`, name)
}

func TestErrorsOfAllQueuesAreMergedAndWalked(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	e := stoppedClock(t, db)
	rng := dice(t)
	all := []string{"a", "a_b", "ab", "b", "empty", "z"}
	type line struct {
		queue, message, subject string
		kind, ago               int
		id                      int64
	}
	var lines []line
	for _, name := range all {
		put(t, e, name, `{}`)
		for range rng.IntN(12) {
			if name == "empty" {
				break
			}
			kind, word := rng.IntN(2), []string{"Boom", "fizz"}[rng.IntN(2)]
			var ago []int
			for range 1 + rng.IntN(8) { // many of one moment, in the same queue and in others
				ago = append(ago, rng.IntN(15))
			}
			write(t, db, name, kind, word, ago...)
		}
		rows, err := db.Query(t.Context(), `select id, kind, message, subject, (extract(epoch from $1 - created_at) / 60)::integer from q_`+name+`.logs`, noon)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			l := line{queue: name}
			if err := rows.Scan(&l.id, &l.kind, &l.message, &l.subject, &l.ago); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, l)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	slices.SortFunc(lines, func(a, b line) int {
		return cmp.Or(cmp.Compare(a.ago, b.ago), strings.Compare(b.queue, a.queue), cmp.Compare(b.id, a.id))
	})
	for name, tt := range map[string]struct {
		f    queue.ErrorFilter
		keep func(l line) bool
	}{
		"errors":  {queue.ErrorFilter{}, func(l line) bool { return l.kind == 1 }},
		"notes":   {queue.ErrorFilter{Kind: queue.KindNote}, func(l line) bool { return l.kind == 0 }},
		"queues":  {queue.ErrorFilter{Queues: []string{"z", "a_b", "gone"}}, func(l line) bool { return l.kind == 1 && (l.queue == "z" || l.queue == "a_b") }},
		"none":    {queue.ErrorFilter{Queues: []string{}}, func(line) bool { return false }},
		"subject": {queue.ErrorFilter{Subject: "subject 1"}, func(l line) bool { return l.kind == 1 && l.subject == "subject 1" }},
		"text":    {queue.ErrorFilter{Text: "OOM"}, func(l line) bool { return l.kind == 1 && l.message[0] == 'B' }},
		"from":    {queue.ErrorFilter{From: noon.Add(-4 * time.Minute)}, func(l line) bool { return l.kind == 1 && l.ago <= 4 }},
		"to":      {queue.ErrorFilter{To: noon.Add(-4 * time.Minute)}, func(l line) bool { return l.kind == 1 && l.ago > 4 }},
	} {
		want := []string{}
		for _, l := range lines {
			if tt.keep(l) {
				want = append(want, l.queue+"/"+l.message)
			}
		}
		for _, limit := range []int{1, 2 + rng.IntN(9), queue.MaxList} {
			tt.f.Limit = limit
			got, pages := allLogs(t, e, tt.f)
			if diff := gocmp.Diff(want, got); diff != "" || pages != max((len(want)+limit-1)/limit, 1) {
				t.Errorf("%s, %d a page, %d pages: %s", name, limit, pages, diff)
			}
		}
	}
}

func TestTheSearchForErrorsEndsBeforeQueuesThatHaveOlderOnesOnly(t *testing.T) {
	t.Parallel()
	ctx, db := t.Context(), dbtest.New(t)
	e := stoppedClock(t, db)
	for _, name := range []string{"new", "old", "older"} {
		put(t, e, name, `{}`)
	}
	write(t, db, "new", 1, "boom", 1, 2, 3, 10)
	write(t, db, "old", 1, "boom", 5, 6)
	write(t, db, "older", 1, "boom", 20)
	tx, err := db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	if _, err := tx.Exec(ctx, `lock table q_old.logs in access exclusive mode`); err != nil {
		t.Fatal(err)
	}
	// Who visits the queue old waits for the lock.
	visits := func(f queue.ErrorFilter, patience time.Duration) bool {
		soon, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		_, _, err := e.AllLogs(soon, f)
		return err != nil
	}
	for name, tt := range map[string]struct {
		f    queue.ErrorFilter
		want bool
	}{
		"a page of younger ones": {queue.ErrorFilter{Limit: 2}, false}, // with one more, to know of a next page
		"a page that may reach":  {queue.ErrorFilter{Limit: 3}, true},
		"notes":                  {queue.ErrorFilter{Limit: 2, Kind: queue.KindNote}, true},
		"younger by its bound":   {queue.ErrorFilter{Limit: 50, From: noon.Add(-4 * time.Minute)}, false},
		"not in the queues":      {queue.ErrorFilter{Limit: 50, Queues: []string{"new", "older"}}, false},
	} {
		patience := 20 * time.Second
		if tt.want {
			patience = 300 * time.Millisecond
		}
		if got := visits(tt.f, patience); got != tt.want {
			t.Errorf("%s: the older queue is visited: %v", name, got)
		}
	}
}

func TestAnErrorIsListedWhenTheFoldHasSeenIt(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	put(t, e, "b", `{}`)
	last := func() []*time.Time {
		t.Helper()
		all, err := e.Summaries(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return []*time.Time{all[0].LastErrorAt, all[1].LastErrorAt}
	}
	push(t, e, queue.Push{Subject: "x"})
	held := pick(t, e, queue.PickParams{})[0]
	if _, err := e.Resolve(ctx, "a", []queue.Resolution{{Subject: "x", Lease: held.Lease, Action: "reject", Message: "boom"}}); err != nil {
		t.Fatal(err)
	}
	if err := e.AddLogs(ctx, "b", "w", []queue.NewLog{{Message: "a note"}}); err != nil {
		t.Fatal(err)
	}
	f := queue.ErrorFilter{Limit: 10}
	if got, _ := allLogs(t, e, f); len(got) != 0 || last()[0] != nil {
		t.Errorf("before a fold: %v, %v", got, last())
	}
	fold(t, e, "a")
	fold(t, e, "b")
	logs, _, err := e.AllLogs(ctx, f)
	if err != nil || len(logs) != 1 || logs[0].Queue != "a" || *logs[0].Subject != "x" || logs[0].Kind != queue.KindError || *logs[0].Attempt != 1 {
		t.Fatalf("%+v, %v", logs, err)
	}
	failed := last()
	if failed[0] == nil || failed[0].Before(logs[0].CreatedAt) || failed[1] != nil {
		t.Errorf("the error is of %v, the last ones of %v", logs[0].CreatedAt, failed)
	}
	push(t, e, queue.Push{Subject: "y"})
	fold(t, e, "a")
	if _, err := e.Truncate(ctx, "a", false); err != nil {
		t.Fatal(err)
	}
	if got, _ := allLogs(t, e, f); len(got) != 1 || !last()[0].Equal(*failed[0]) {
		t.Errorf("with its log, after more folds: %v, %v", got, last())
	}
	if _, err := e.Truncate(ctx, "a", true); err != nil {
		t.Fatal(err)
	}
	if got, _ := allLogs(t, e, f); len(got) != 0 || last()[0] != nil {
		t.Errorf("truncated with its log: %v, %v", got, last())
	}
}

func TestErrorsBehindManyNotesEndAPageThere(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	e := stoppedClock(t, db)
	for _, name := range []string{"a", "b", "c"} {
		put(t, e, name, `{}`)
	}
	// 25,000 notes, a second apart, hide what a has; c has as many before its only error.
	const notes = `insert into q_%s.logs (created_at, kind, message) select $1::timestamptz - i * interval '1 second', 0, 'n' from generate_series(1, $2) i`
	exec(t, db, fmt.Sprintf(notes, "a"), noon, 25_000)
	exec(t, db, fmt.Sprintf(notes, "c"), noon, 5_000)
	write(t, db, "a", 1, "boom", 1, 500)
	write(t, db, "b", 1, "boom", 0, 100, 167, 300, 600)
	write(t, db, "c", 1, "boom", 400)
	want := []string{"b/boom 0", "a/boom 1", "b/boom 100", "b/boom 167", "b/boom 300", "c/boom 400", "a/boom 500", "b/boom 600"}
	for limit, pages := range map[int]int{50: 3, 2: 5} {
		got, n := allLogs(t, e, queue.ErrorFilter{Limit: limit})
		if diff := gocmp.Diff(want, got); diff != "" || n != pages {
			t.Errorf("%d a page: %d pages, %d are wanted: %s", limit, n, pages, diff)
		}
	}
}

func TestTheLastErrorIsFoundAgainWhenAQueueIsRecounted(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	e := stoppedClock(t, db)
	put(t, e, "a", `{}`)
	last := func() string {
		return names(t, db, `select coalesce((extract(epoch from $1 - last_error_at) / 60)::integer::text, 'none')
			from fetchq.queue_states where queue = 'a'`, noon)[0]
	}
	write(t, db, "a", 0, "note", 1, 2)
	if got := last(); got != "none" {
		t.Errorf("of notes alone: %s", got)
	}
	write(t, db, "a", 1, "boom", 7, 5)
	if got := last(); got != "5" {
		t.Errorf("%s minutes ago, 5 are right", got)
	}
	exec(t, db, `insert into q_a.logs (created_at, kind, message) select $1::timestamptz - interval '3 minutes', 0, 'n' from generate_series(1, 10000)`, noon)
	exec(t, db, `select fetchq.queue_recount('a')`)
	if got := last(); got != "3" {
		t.Errorf("behind 10,000 notes: %s minutes ago; no error is younger than 3", got)
	}
}

func TestErrorsPassOverAQueueThatGoesAndKeepNoLocks(t *testing.T) {
	t.Parallel()
	ctx, db := t.Context(), dbtest.New(t)
	e := stoppedClock(t, db)
	for i := range 20 {
		put(t, e, fmt.Sprint("q", i), `{}`)
		write(t, db, fmt.Sprint("q", i), 1, "boom", i)
	}
	// A row of the register without tables is like a queue that goes in this moment.
	exec(t, db, `insert into fetchq.queues (name) values ('gone'); insert into fetchq.queue_states values ('gone', now(), null, now())`)
	if got, _ := allLogs(t, e, queue.ErrorFilter{Limit: 7}); len(got) != 20 {
		t.Errorf("%v", got)
	}
	tx, err := db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	var found, locks int
	err = tx.QueryRow(ctx, `select count(*) from fetchq.log_search(0, $1, $2, $2, $3, $3, $3, $2, 0, 3)`, nil, nil, nil).Scan(&found)
	if err != nil || found != 0 {
		t.Errorf("%d notes, %v", found, err)
	}
	err = tx.QueryRow(ctx, `select count(*) from pg_locks l join pg_class c on c.oid = l.relation
		where l.pid = pg_backend_pid() and c.relnamespace::regnamespace::text like 'q\_%'`).Scan(&locks)
	if err != nil || locks != 0 {
		t.Errorf("%d locks are held, %v", locks, err)
	}
}

func TestAListOfAllErrorsNamesWhatItRefuses(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	for _, tt := range []struct {
		f     queue.ErrorFilter
		field string
	}{
		{queue.ErrorFilter{}, "limit"}, {queue.ErrorFilter{Limit: 201}, "limit"}, {queue.ErrorFilter{Limit: 1, Kind: "warning"}, "kind"},
		{queue.ErrorFilter{Limit: 1, Cursor: "x"}, "cursor"}, {queue.ErrorFilter{Limit: 1, Cursor: wire.EncodeCursor("1", "2")}, "cursor"},
		{queue.ErrorFilter{Limit: 1, Cursor: wire.EncodeCursor("1", "x", "a")}, "cursor"},
	} {
		if _, _, err := e.AllLogs(ctx, tt.f); field(err) != tt.field {
			t.Errorf("%+v: %v; a refusal of %s is wanted", tt.f, err, tt.field)
		}
	}
}
