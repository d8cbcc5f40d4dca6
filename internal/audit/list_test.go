package audit

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/errs"
)

// lines makes n lines of somebody, the first of them refused.
func lines(t *testing.T, db *pgxpool.Pool, actor string, n int) {
	t.Helper()
	if _, err := db.Exec(t.Context(), `insert into fetchq_audit.lines (actor_kind, actor, action, target, outcome, address, request_id)
		select 'user', $1, 'queue.pause', 'q' || i, case when i = 1 then 'refused' else 'done' end, '', '' from generate_series(1, $2::integer) i`,
		actor, n); err != nil {
		t.Fatal(err)
	}
}

// pages asks for page after page, and returns the targets of all, and how many pages there were.
func pages(t *testing.T, l *Log, f Filter, limit int) (targets []string, n int) {
	t.Helper()
	for cursor := ""; ; n++ {
		list, next, err := l.List(t.Context(), f, limit, cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range list {
			targets = append(targets, line.Target)
		}
		if next == "" {
			return targets, n + 1
		}
		cursor = next
	}
}

func TestPagesOfTheLogFollowEachOther(t *testing.T) {
	t.Parallel()
	l, db, _ := newLog(t)
	lines(t, db, "ann", 120)
	lines(t, db, "bob", 3)
	targets, n := pages(t, l, Filter{Actor: "ann"}, 50)
	if n != 3 || len(targets) != 120 {
		t.Fatalf("%d lines on %d pages", len(targets), n)
	}
	for i, target := range targets {
		if want := fmt.Sprintf("q%d", 120-i); target != want {
			t.Fatalf("line %d is about %s; %s is wanted", i, target, want)
		}
	}
	for _, tt := range []struct {
		f    Filter
		want int
	}{
		{Filter{}, 123}, {Filter{Target: "q2"}, 2}, {Filter{Target: "q2", Actor: "bob"}, 1}, {Filter{Outcome: "refused"}, 2},
		{Filter{Action: QueuePause}, 123}, {Filter{Action: QueueDrop}, 0}, {Filter{Actor: "bob", Action: QueueDrop}, 0},
		{Filter{From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)}, 123}, {Filter{To: time.Now().Add(-time.Hour)}, 0},
	} {
		got := 0
		if err := l.Each(t.Context(), tt.f, func(Line) error { got++; return nil }); err != nil || got != tt.want {
			t.Errorf("%+v: %d lines, %v; %d are wanted", tt.f, got, err, tt.want)
		}
	}
	for _, cursor := range []string{"x", "\x00", "AAAA"} {
		if _, _, err := l.List(t.Context(), Filter{}, 10, cursor); errs.Of(err) != errs.Invalid {
			t.Errorf("the cursor %q: %v", cursor, err)
		}
	}
}

// TestAPageLooksAtABoundedNumberOfLines has a line that matches behind more than a page looks at: the page before it is empty, and leads on.
func TestAPageLooksAtABoundedNumberOfLines(t *testing.T) {
	t.Parallel()
	l, db, _ := newLog(t)
	lines(t, db, "ann", mostLook+50)
	first, next, err := l.List(t.Context(), Filter{Actor: "ann", Outcome: "refused"}, 50, "")
	if err != nil || len(first) != 0 || next == "" {
		t.Fatalf("%v %q %v", first, next, err)
	}
	if targets, n := pages(t, l, Filter{Actor: "ann", Outcome: "refused"}, 50); n != 2 || len(targets) != 1 || targets[0] != "q1" {
		t.Errorf("%d pages: %v", n, targets)
	}
}
