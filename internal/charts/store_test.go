package charts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/fetchq/server/internal/charts"
	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
)

func TestADashboardKeepsItsChartsInTheirOrder(t *testing.T) {
	t.Parallel()
	s := charts.NewStore(dbtest.New(t))
	ctx := t.Context()
	d, err := s.Create(ctx, " Night ", "ann@example.org")
	if err != nil || d.Name != "Night" || d.CreatedBy != "ann@example.org" || len(d.Charts) != 0 {
		t.Fatalf("%+v, %v", d, err)
	}
	d.Charts = []charts.Chart{charts.Of("Work", []string{"pages"}, "work:p99"), charts.Of("All & more", nil, "picked:rate").Stacked()}
	if err := s.Save(ctx, d); err != nil {
		t.Fatal(err)
	}
	got, err := s.Dashboard(ctx, d.ID)
	if err != nil || !cmp.Equal(got.Charts, d.Charts) || got.Edits != d.Edits+1 {
		t.Errorf("%+v, %v", got, err)
	}
	if err := s.Save(ctx, d); errs.Of(err) != errs.Stale {
		t.Errorf("a change over somebody else's: %v", err)
	}
	if _, err := s.Create(ctx, "NIGHT", "bob@example.org"); errs.Of(err) != errs.Invalid {
		t.Errorf("a second of that name: %v", err)
	}
	list, err := s.Dashboards(ctx)
	if err != nil || len(list) != 1 || list[0].Name != "Night" {
		t.Errorf("%+v, %v", list, err)
	}
	if err := s.Delete(ctx, d.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(ctx, got); errs.Of(err) != errs.NotFound {
		t.Errorf("a change of one that is gone: %v", err)
	}
	if _, err := s.Dashboard(ctx, uuid.New()); errs.Of(err) != errs.NotFound {
		t.Errorf("one that never was: %v", err)
	}
}

func TestDashboardsHaveBounds(t *testing.T) {
	t.Parallel()
	s := charts.NewStore(dbtest.New(t))
	ctx := t.Context()
	for _, name := range []string{"", "  ", strings.Repeat("x", 101)} {
		if _, err := s.Create(ctx, name, "ann"); errs.Of(err) != errs.Invalid {
			t.Errorf("the name %q: %v", name, err)
		}
	}
	d, err := s.Create(ctx, "a", "ann")
	if err != nil {
		t.Fatal(err)
	}
	for range charts.MaxCharts + 1 {
		d.Charts = append(d.Charts, charts.Of("", nil, "picked:rate"))
	}
	if err := s.Save(ctx, d); errs.Of(err) != errs.Invalid {
		t.Errorf("31 charts: %v", err)
	}
	for i := range charts.MaxDashboards {
		if _, err := s.Create(ctx, "n"+strings.Repeat("i", i%50)+strings.Repeat("j", i/50), "ann"); err != nil && i < charts.MaxDashboards-1 {
			t.Fatalf("number %d: %v", i+2, err)
		} else if i == charts.MaxDashboards-1 && errs.Of(err) != errs.Invalid {
			t.Errorf("number 201: %v", err)
		}
	}
}

func TestMarksAreThoseOfTheTimeAndOfTheQueues(t *testing.T) {
	t.Parallel()
	s := charts.NewStore(dbtest.New(t))
	ctx := t.Context()
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	for i, m := range []struct{ queue, text string }{{"", "v1"}, {"pages", "pages v2"}, {"images", "images v3"}} {
		made, err := s.AddMark(ctx, m.queue, m.text, "ann", at.Add(time.Duration(i)*time.Minute))
		if err != nil || made.At != at.Unix()+int64(60*i) {
			t.Fatalf("%+v, %v", made, err)
		}
	}
	texts := func(queues []string, from, to time.Time) string {
		list, err := s.Marks(ctx, queues, from, to)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, m := range list {
			all = append(all, m.Text)
		}
		return strings.Join(all, ", ")
	}
	if got := texts(nil, at, at.Add(time.Hour)); got != "v1, pages v2, images v3" {
		t.Errorf("all: %s", got)
	}
	if got := texts([]string{"pages"}, at, at.Add(time.Hour)); got != "v1, pages v2" {
		t.Errorf("of pages: %s", got)
	}
	if got := texts(nil, at.Add(time.Second), at.Add(2*time.Minute)); got != "pages v2" {
		t.Errorf("of a minute: %s", got)
	}
	if now, err := s.AddMark(ctx, "", "now", "ann", time.Time{}); err != nil || time.Since(time.Unix(now.At, 0)) > time.Minute {
		t.Errorf("%+v, %v", now, err)
	}
	for name, bad := range map[string]struct {
		text string
		at   time.Time
	}{"no text": {" ", at}, "a long one": {strings.Repeat("x", 201), at}, "long ago": {"x", at.AddDate(-3, 0, 0)}, "far ahead": {"x", at.AddDate(0, 0, 3)}} {
		if _, err := s.AddMark(ctx, "", bad.text, "ann", bad.at); errs.Of(err) != errs.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
