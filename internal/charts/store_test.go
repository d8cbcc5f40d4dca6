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
	for _, name := range []string{"", "  ", strings.Repeat("x", 101), "a\x00b", "a\nb", "\xff"} {
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
	if got := texts(nil, at, at.Add(time.Hour)); got != "v1" {
		t.Errorf("of no queue: %s", got)
	}
	if got := texts([]string{"pages"}, at, at.Add(time.Hour)); got != "v1, pages v2" {
		t.Errorf("of pages: %s", got)
	}
	if got := texts([]string{"images", "pages"}, at, at.Add(time.Hour)); got != "v1, pages v2, images v3" {
		t.Errorf("of two: %s", got)
	}
	if got := texts([]string{"pages", "images"}, at.Add(time.Second), at.Add(2*time.Minute)); got != "pages v2" {
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

func TestAChartThatCannotBeReadIsKeptAsItIs(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := charts.NewStore(db)
	ctx := t.Context()
	d, err := s.Create(ctx, "Night", "ann")
	if err != nil {
		t.Fatal(err)
	}
	kept := []string{"m=picked%3Arate&queue=%00&title=Old", "m=picked%3Amedian&title=Newer", "m=picked%3Arate", "%zz"}
	if _, err := db.Exec(ctx, `update fetchq.dashboards set charts = $1`, kept); err != nil {
		t.Fatal(err)
	}
	if d, err = s.Dashboard(ctx, d.ID); err != nil || len(d.Charts) != 4 {
		t.Fatalf("%+v, %v", d, err)
	}
	for i, want := range []struct{ title, wrong string }{{"Old", "is no name of a queue"}, {"Newer", `"picked:median" is no metric`}, {"", ""}, {"", "no address of a chart"}} {
		if c := d.Charts[i]; c.Title != want.title || !strings.Contains(c.Wrong, want.wrong) || (c.Wrong == "") != (want.wrong == "") {
			t.Errorf("%+v, want %+v", c, want)
		}
	}
	d.Charts = append(d.Charts[1:], d.Charts[0])
	if err := s.Save(ctx, d); err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := db.QueryRow(ctx, `select charts from fetchq.dashboards`).Scan(&got); err != nil || !cmp.Equal(got, []string{kept[1], kept[2], kept[3], kept[0]}) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTheNewestMarksOfAQueueAreKept(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := charts.NewStore(db)
	ctx := t.Context()
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	if _, err := s.AddMark(ctx, "", "deploy", "ann", at.Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(ctx, `insert into fetchq.marks (at, text, queue, created_by) select $1::timestamptz + i * interval '1 second', i::text, q, 'ann'
		from generate_series(1, 1002) i, unnest(array['pages', 'images']) q`, at); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddMark(ctx, "pages", "one more", "ann", time.Time{}); err != nil {
		t.Fatal(err)
	}
	var pages, images, all int
	var oldest string
	if err := db.QueryRow(ctx, `select count(*) filter (where queue = 'pages'), count(*) filter (where queue = 'images'), count(*) filter (where queue is null),
		(select text from fetchq.marks where queue = 'pages' order by at limit 1) from fetchq.marks`).Scan(&pages, &images, &all, &oldest); err != nil {
		t.Fatal(err)
	}
	if pages != 1000 || images != 1002 || all != 1 || oldest != "4" {
		t.Errorf("%d of pages from %s on, %d of images and %d of all are kept", pages, oldest, images, all)
	}
	list, err := s.Marks(ctx, nil, at.Add(-time.Hour), time.Now().Add(time.Minute))
	if err != nil || len(list) != 1 || list[0].Text != "deploy" {
		t.Errorf("a chart of all shows %+v, %v", list, err)
	}
}

// TestMarksOfAQueuePushOutNoOthers has two queues whose marks alone are more than a chart shows, all newer than those of all queues and of a
// third one.
func TestMarksOfAQueuePushOutNoOthers(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := charts.NewStore(db)
	ctx := t.Context()
	at := time.Now().Add(-5 * time.Hour).Truncate(time.Second)
	if _, err := db.Exec(ctx, `insert into fetchq.marks (at, text, queue, created_by)
		select $1::timestamptz + i * interval '1 second', q.name || ' ' || i, nullif(q.name, ''), 'ann'
		from (values ('', 0, 4), ('quiet', 10, 12), ('pages', 1000, 1299), ('images', 5000, 5299)) q (name, first, last), generate_series(q.first, q.last) i`, at); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		queues []string
		want   map[string]int
		oldest map[string]string // of those that are cut
	}{
		{nil, map[string]int{"": 5}, nil},
		{[]string{"pages"}, map[string]int{"": 5, "pages": 200}, map[string]string{"pages": "1100"}},
		{[]string{"pages", "images"}, map[string]int{"": 5, "pages": 100, "images": 100}, map[string]string{"pages": "1200", "images": "5200"}},
		{[]string{"images", "quiet"}, map[string]int{"": 5, "quiet": 3, "images": 197}, map[string]string{"images": "5103"}},
	} {
		list, err := s.Marks(ctx, tt.queues, at, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		got, oldest := map[string]int{}, map[string]string{}
		for i, m := range list {
			name, number, _ := strings.Cut(m.Text, " ")
			if got[name]++; got[name] == 1 {
				oldest[name] = number
			}
			if i > 0 && m.At < list[i-1].At {
				t.Fatalf("%v: %v stands behind %v", tt.queues, m, list[i-1])
			}
		}
		if !cmp.Equal(got, tt.want) {
			t.Errorf("%v: %v; %v is right", tt.queues, got, tt.want)
		}
		for name, want := range tt.oldest {
			if oldest[name] != want {
				t.Errorf("%v: the oldest of %s is %s; %s is right", tt.queues, name, oldest[name], want)
			}
		}
	}
}
