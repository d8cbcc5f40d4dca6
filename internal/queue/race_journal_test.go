package queue_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
)

// readJournal returns all lines of a queue's journal, in the order of their numbers.
func readJournal(ctx context.Context, db *pgxpool.Pool, name string) ([]line, error) {
	all, err := read(ctx, db, name)
	if err != nil {
		return nil, err
	}
	return all[0].journal, nil
}

// checkJournal holds the journal against what the workers saw: each lease has one line for its pick and one for its end, by the
// right worker and at the moment that the worker was told, the lines of each document lead from one to the next, and there is no other line.
func (r *race) checkJournal(t *testing.T) {
	t.Helper()
	lines, err := readJournal(t.Context(), r.db, "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := chained(lines); err != nil {
		t.Error(err)
	}
	found := map[string]int{}
	for _, l := range lines {
		found[fmt.Sprintf("%s %s %d %s %s", *l.Subject, l.Action, *l.Lease, pointed(l.Worker), pointed(l.By))]++
	}
	wanted, extended := r.documents, int(r.extended.Load())
	want := func(h *hold, action string, lease int64, worker, by string) {
		wanted++
		key := fmt.Sprintf("%s %s %d %s %s", h.subject, action, lease, worker, by)
		if found[key] != 1 && !t.Failed() {
			t.Errorf("%q stands %d times in the journal; once is wanted. Of the document: %q", key, found[key], tellAll(lines, false)[h.subject])
		}
	}
	for id, seen := range &r.seen {
		worker := fmt.Sprint("worker ", id)
		for _, h := range seen {
			want(h, "pick", h.lease, worker, "token:"+worker)
			if h.ended.IsZero() {
				want(h, "orphan", h.lease+1, worker, "-")
			} else {
				want(h, h.action, h.lease, worker, "token:"+worker)
			}
		}
	}
	if len(lines) != wanted+extended {
		t.Errorf("the journal has %d lines; %d are wanted, and %d of extensions", len(lines), wanted, extended)
	}
	for _, l := range lines {
		if took := l.Wait; l.Action == "pick" && (took == nil || *took < 0 || *took > 2*time.Minute) ||
			l.Action == "complete" && (l.Work == nil || *l.Work < 0 || *l.Work > 2*time.Minute) {
			t.Fatalf("it took no time or too long: %s", l.tell(false))
		}
	}
	t.Logf("%d lines of the journal", len(lines))
}

// TestTheJournalIsInTheOrderInWhichItHappened lets many change the same documents at once in every way. However long a call waited
// for another, its line stands behind that of the other.
func TestTheJournalIsInTheOrderInWhichItHappened(t *testing.T) {
	if testing.Short() {
		t.Skip("fifty workers for some seconds")
	}
	t.Parallel()
	for _, partitions := range []int{1, 8} {
		url := dbtest.URL(t)
		e := start(t, url, "n")
		lines := meetInJournal(t, e, dbtest.Open(t, url), partitions)
		if err := chained(lines); err != nil {
			t.Error(err)
		}
		for subject, list := range bySubject(lines) {
			want := "-"
			if d, err := e.Doc(t.Context(), "a", subject); err == nil {
				want = d.Status.String()
			}
			if last := pointed(list[len(list)-1].To); last != want {
				t.Errorf("the journal of %s ends with %s; it is %s", subject, last, want)
			}
		}
		checkLookups(t, e, lines)
	}
}

// TestAnOrderByTheBeginningsOfCallsIsFoundOut plants the mistake that is near at hand: numbers that are those of the moments in which
// calls began.
func TestAnOrderByTheBeginningsOfCallsIsFoundOut(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	e, db := start(t, url, "n"), dbtest.Open(t, url)
	dbtest.Replace(t, db, "journal_text", `n.first + l.ord, %3$s`, `(date_part('epoch', %3$s) * 1000000)::bigint * 100 + l.ord %% 100, %3$s`)
	if err := chained(meetInJournal(t, e, db, 1)); err == nil {
		t.Error("nothing is wrong with it")
	}
}

// meetInJournal makes a queue, lets many change the same documents, and returns its journal.
func meetInJournal(t *testing.T, e *queue.Engine, db *pgxpool.Pool, partitions int) []line {
	t.Helper()
	put(t, e, "a", fmt.Sprintf(`{"partitions":%d,"max_attempts":1000000,"backoff":{"kind":"none"},"journal":"all"}`, partitions))
	rounds := 20
	if testing.Short() {
		rounds = 8
	}
	var callers errgroup.Group
	for i := range 24 {
		callers.Go(func() error {
			r := rand.New(rand.NewPCG(11, uint64(i))) //nolint:gosec // a test
			for range rounds {
				if err := meet(t.Context(), e, r); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := callers.Wait(); err != nil {
		t.Fatal(err)
	}
	lines, err := readJournal(t.Context(), db, "a")
	if err != nil || len(lines) < 1000 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	return lines
}

// checkLookups reads the lines of each document by its subject, as a page does.
func checkLookups(t *testing.T, e *queue.Engine, lines []line) {
	t.Helper()
	for subject, list := range bySubject(lines) {
		found, err := e.Journal(t.Context(), "a", subject, queue.MaxList, 0)
		if err != nil || len(found) != min(len(list), queue.MaxList) {
			t.Fatalf("%s has %d lines, and %d are found: %v", subject, len(list), len(found), err)
		}
		for i, f := range found {
			want := list[len(list)-1-i].Transition
			if f.Action != want.Action || f.ID != want.ID || !f.At.Equal(want.At) {
				t.Fatalf("line %d of %s is %s at %s; %s at %s is wanted", i, subject, f.Action, f.At, want.Action, want.At)
			}
		}
	}
}

// TestAChangedJournalLosesNothingAndHoldsNobodyUp turns the journal on and off while workers work. What a call does that begins after the
// change was answered is written, or is not, and no call fails.
func TestAChangedJournalLosesNothingAndHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	e := start(t, url, "n")
	db := dbtest.Open(t, url)
	put(t, e, "a", `{"journal":"off"}`)
	const on, off, between = 1, 2, 0
	var state, turn atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	type done struct {
		document    string // and its lease
		before, now int64  // the state around the call
	}
	var seen [8][]done
	var workers errgroup.Group
	for i := range seen {
		workers.Go(func() error {
			for n := 0; ctx.Err() == nil; n++ {
				subject := fmt.Sprint("document ", i, " ", n)
				if _, err := e.Push(t.Context(), "a", []queue.Push{{Subject: subject}}, queue.Ignore); err != nil {
					return err
				}
				before, in := state.Load(), turn.Load()
				picked, err := e.Pick(t.Context(), "a", queue.PickParams{Limit: 1})
				if err != nil {
					return err
				}
				for _, d := range picked.Documents {
					now, turnNow := state.Load(), turn.Load()
					if turnNow == in {
						seen[i] = append(seen[i], done{fmt.Sprint(d.Subject, " ", d.Lease), before, now})
					}
					_, err = e.Resolve(t.Context(), "a", []queue.Resolution{{Subject: d.Subject, Lease: d.Lease, Action: "complete"}})
					if err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	for n := range 20 {
		for _, s := range []struct {
			journal string
			state   int64
		}{{"all", on}, {[]string{"off", "errors"}[n%2], off}} {
			turn.Add(1)
			state.Store(between)
			put(t, e, "a", `{"journal":"`+s.journal+`"}`)
			state.Store(s.state)
			time.Sleep(30 * time.Millisecond)
		}
	}
	stop()
	if err := workers.Wait(); err != nil {
		t.Fatal(err)
	}
	written := map[string]int{}
	rows, _ := db.Query(t.Context(), `select subject || ' ' || lease, count(*) from q_a.journal where action = 'pick' group by 1`)
	var document string
	var count int
	if _, err := pgx.ForEachRow(rows, []any{&document, &count}, func() error { written[document] = count; return nil }); err != nil {
		t.Fatal(err)
	}
	sure := map[int64]int{}
	for _, list := range &seen {
		for _, d := range list {
			if d.before != d.now || d.now == between {
				continue
			}
			sure[d.now]++
			if want := map[int64]int{on: 1, off: 0}[d.now]; written[d.document] != want {
				t.Fatalf("the pick of %s stands %d times in the journal; %d is wanted", d.document, written[d.document], want)
			}
		}
	}
	if sure[on] < 20 || sure[off] < 20 {
		t.Errorf("%d picks with the journal on and %d with it off prove little", sure[on], sure[off])
	}
}
