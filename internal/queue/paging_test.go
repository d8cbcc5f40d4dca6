package queue_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

// pager asks for one page of a list and returns the names of its rows and where the pages beside it are.
type pager func(limit int, cursor, before string) (page []string, next, previous string, err error)

func docPager(ctx context.Context, e *queue.Engine, name string, f queue.DocFilter) pager {
	return func(limit int, cursor, before string) (page []string, next, previous string, err error) {
		f.Limit, f.Cursor, f.Before = limit, cursor, before
		p, err := e.Docs(ctx, name, f)
		for _, d := range p.Documents {
			page = append(page, d.Subject)
		}
		return page, p.Next, p.Previous, err
	}
}

func logPager(ctx context.Context, e *queue.Engine, name string, f queue.LogFilter) pager {
	return func(limit int, cursor, before string) (page []string, next, previous string, err error) {
		f.Limit, f.Cursor, f.Before = limit, cursor, before
		p, err := e.Logs(ctx, name, f)
		for _, l := range p.Logs {
			page = append(page, l.Message)
		}
		return page, p.Next, p.Previous, err
	}
}

// wander turns pages of random sizes back and forth. still is the whole list of the rows that stand still, while stir changes,
// adds and removes others between two pages. Each page has to begin where the one before ended, or to end where it began, by
// the rows that stand still; the first and the last page are the ends of the list.
func wander(rng *rand.Rand, turns int, still []string, list pager, stir func() error) error {
	at := map[string]int{}
	for i, s := range still {
		at[s] = i
	}
	var next, previous string
	from, to, back := 0, 0, false // the rows of the page, as places in still
	began := false
	for turn := range turns {
		if rng.IntN(2) == 0 {
			if err := stir(); err != nil {
				return err
			}
		}
		limit, cursor, before := 1+rng.IntN(8), "", ""
		if rng.IntN(6) == 0 {
			back = !back
		}
		if !began || next == "" && previous == "" || rng.IntN(30) == 0 {
			from, to, back, began = 0, 0, false, true
		} else {
			back = previous != "" && (back || next == "")
			if cursor = next; back {
				cursor, before = "", previous
			}
		}
		page, n, p, err := list(limit, cursor, before)
		if err != nil {
			return err
		}
		var shown []string
		for _, s := range page {
			if _, stands := at[s]; stands {
				shown = append(shown, s)
			}
		}
		if back {
			from, to = from-len(shown), from
		} else {
			from, to = to, to+len(shown)
		}
		problem := ""
		switch {
		case from < 0 || to > len(still) || !slices.Equal(shown, still[from:to]):
			problem = fmt.Sprintf("rows %d to %d of the list that stands still are wanted", from, to)
		case len(page) > limit:
			problem = "it is too long"
		case n == "" && to != len(still):
			problem = fmt.Sprintf("it says that the list ends at row %d of %d", to, len(still))
		case p == "" && from != 0:
			problem = fmt.Sprintf("it says that the list begins at row %d", from)
		case cursor == "" && before == "" && p != "":
			problem = "it is the first and has one before"
		}
		if problem != "" {
			return fmt.Errorf("turn %d, back %v, limit %d: the page %v: %s", turn, back, limit, page, problem)
		}
		next, previous = n, p
	}
	return nil
}

// scatter puts 60 documents of a status that stand still into a queue, and as many that move, with dates, priorities and
// versions that often are the same; scatterMoving replaces a part of the latter.
const (
	scatterInto = `insert into q_a.docs (subject, seq, lease, next_iteration, created_at, last_iteration, size, version, priority, status, payload)
		select to_char(i, 'FM000') || $1, nextval('q_a.seq'), 1, t, now(), t, 2, random() * 2, random() * 2, $2, '{}'
		from generate_series(1, 60) i, lateral (select now() + (i * 7919 % 11 - 5) * interval '1 minute' as t) t
		where random() < $3 on conflict do nothing`
	scatterAway = `delete from q_a.docs where subject like '%m' and random() < 0.4`
)

// dice are thrown anew in each run; a failure tells the seed that throws them again.
func dice(t *testing.T) *rand.Rand {
	seed := rand.Uint64() //nolint:gosec // a test's choice
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a test's choice
}

// turns is how many pages are turned in each list.
func turns() int {
	if testing.Short() {
		return 80
	}
	return 150
}

func TestPagesGoForwardAndBackWhileOtherDocumentsMove(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int{1, 3} {
		for name, tt := range map[string]struct {
			status queue.Status
			f      queue.DocFilter
			order  string
		}{
			"subject":   {queue.Planned, queue.DocFilter{}, "subject"},
			"filter":    {queue.Planned, queue.DocFilter{Version: ptr(1)}, "subject"},
			"prefix":    {queue.Planned, queue.DocFilter{SubjectPrefix: "02", Order: queue.BySubject}, "subject"},
			"planned":   {queue.Planned, queue.DocFilter{Status: ptr(queue.Planned)}, "next_iteration, seq"},
			"pending":   {queue.Pending, queue.DocFilter{Status: ptr(queue.Pending)}, "next_iteration, seq"},
			"priority":  {queue.Pending, queue.DocFilter{Status: ptr(queue.Pending), Priority: ptr(1)}, "next_iteration, seq"},
			"active":    {queue.Active, queue.DocFilter{Status: ptr(queue.Active)}, "next_iteration, seq"},
			"completed": {queue.Completed, queue.DocFilter{Status: ptr(queue.Completed)}, "last_iteration desc, seq desc"},
			"killed":    {queue.Killed, queue.DocFilter{Status: ptr(queue.Killed), Version: ptr(1)}, "last_iteration desc, seq desc"},
		} {
			t.Run(fmt.Sprintf("%s, %d partitions", name, partitions), func(t *testing.T) {
				t.Parallel()
				ctx, db := t.Context(), dbtest.New(t)
				e := stoppedClock(t, db)
				put(t, e, "a", fmt.Sprintf(`{"partitions":%d}`, partitions))
				exec(t, db, scatterInto, "s", tt.status, 1.0)
				want := names(t, db, `select subject from q_a.docs where subject like $1 and ($2::integer is null or version = $2)
					and ($3::integer is null or priority = $3) order by `+tt.order, tt.f.SubjectPrefix+"%", tt.f.Version, tt.f.Priority)
				stir := func() error {
					if _, err := db.Exec(ctx, scatterAway); err != nil {
						return err
					}
					_, err := db.Exec(ctx, scatterInto, "m", tt.status, 0.3)
					return err
				}
				if err := wander(dice(t), turns(), want, docPager(ctx, e, "a", tt.f), stir); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestPagesOfLogsGoForwardAndBackWhileOtherLinesComeAndGo(t *testing.T) {
	t.Parallel()
	ctx, db := t.Context(), dbtest.New(t)
	e := stoppedClock(t, db)
	put(t, e, "a", `{}`)
	const write = `insert into q_a.logs (created_at, kind, subject, message)
		select now() - i % 7 * interval '1 minute', i % 2, 'x', $1 || i from generate_series(1, 60) i where random() < $2`
	exec(t, db, write, "s", 1.0)
	stir := func() error {
		if _, err := db.Exec(ctx, `delete from q_a.logs where message like 'm%' and random() < 0.4`); err != nil {
			return err
		}
		_, err := db.Exec(ctx, write, "m", 0.3)
		return err
	}
	for _, f := range []queue.LogFilter{{}, {Subject: "x"}, {Kind: queue.KindError}, {Text: "S"}} {
		want := names(t, db, `select message from q_a.logs where message like 's%' and kind >= $1 order by created_at desc, id desc`, len(f.Kind)/5)
		if err := wander(dice(t), turns(), want, logPager(ctx, e, "a", f), stir); err != nil {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

func TestPagesThatFindLittleGoForwardAndBack(t *testing.T) {
	t.Parallel()
	ctx, db := t.Context(), dbtest.New(t)
	e := stoppedClock(t, db)
	put(t, e, "a", `{}`)
	exec(t, db, `insert into q_a.docs (subject, seq, lease, next_iteration, created_at, last_iteration, size, version, status, payload)
		select i::text, i, 1, now(), t, t - i * interval '1 second', 2, (i % 7919 = 17)::integer, 3, '{}' from generate_series(10000, 59999) i, now() t`)
	few := names(t, db, `select subject from q_a.docs where version = 1 order by subject`)
	if len(few) < 5 {
		t.Fatalf("only %v are to be found", few)
	}
	rng := dice(t)
	stir := func() error {
		_, err := db.Exec(ctx, `update q_a.docs set subject = subject || 'm' where subject = $1 and version = 0`, fmt.Sprint(10000+rng.IntN(50000)))
		return err
	}
	for _, f := range []queue.DocFilter{{Version: ptr(1)}, {Version: ptr(1), Status: ptr(queue.Completed)}} {
		if err := wander(rng, turns(), few, docPager(ctx, e, "a", f), stir); err != nil {
			t.Errorf("%+v: %v", f, err)
		}
	}
	page, err := e.Docs(ctx, "a", queue.DocFilter{Version: ptr(1), Limit: 5, Before: wire.EncodeCursor("49999")})
	if err != nil || len(page.Documents) != 1 || page.Previous == "" || page.Next == "" {
		t.Errorf("10,000 rows before the 40,000th have one that is looked for: %d, previous %q, next %q, %v", len(page.Documents), page.Previous, page.Next, err)
	}
}

// A list may lose all rows behind a page while it is read; whoever turns to the empty page has a way back.
func TestAnEmptyPageLeadsBackToTheRowThatItCameFrom(t *testing.T) {
	t.Parallel()
	ctx, db := t.Context(), dbtest.New(t)
	e := stoppedClock(t, db)
	put(t, e, "a", `{}`)
	for _, order := range []queue.DocFilter{{}, {Status: ptr(queue.Planned)}} {
		exec(t, db, `truncate q_a.docs`)
		exec(t, db, scatterInto, "s", queue.Planned, 1.0)
		exec(t, db, `create table public.kept as table q_a.docs`)
		list := docPager(ctx, e, "a", order)
		all, _, _, err1 := list(60, "", "")
		first, next, _, err2 := list(3, "", "")
		second, _, previous, err3 := list(3, next, "")
		exec(t, db, `delete from q_a.docs where not subject = any ($1)`, first)
		none, end, back, err4 := list(3, next, "")
		again, _, _, err5 := list(5, "", back)
		if diff := cmp.Diff([][]string{all[:3], all[3:6], nil, all[:3]}, [][]string{first, second, none, again}); diff != "" || end != "" {
			t.Errorf("%s; the end has a next page %q", diff, end)
		}
		exec(t, db, `truncate q_a.docs`)
		none, forward, end, err6 := list(3, "", previous)
		if len(none) != 0 || end != "" {
			t.Errorf("%v, previous %q", none, end)
		}
		exec(t, db, `insert into q_a.docs table public.kept`)
		exec(t, db, `drop table public.kept`)
		if again, _, _, err := list(3, forward, ""); err != nil || !cmp.Equal(again, second) {
			t.Errorf("behind an empty first page: %v, %v; %v are wanted", again, err, second)
		}
		for _, err := range []error{err1, err2, err3, err4, err5, err6} {
			if err != nil {
				t.Error(err)
			}
		}
	}
}

func names(t *testing.T, db *pgxpool.Pool, sql string, args ...any) []string {
	t.Helper()
	rows, err := db.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}
