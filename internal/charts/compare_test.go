package charts_test

import (
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/charts"
	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/metrics"
)

// dawn is when the series of these tests begin, which have the queues pages and images.
var dawn = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func sec(n int) time.Time { return dawn.Add(time.Duration(n) * time.Second) }

// seriesWorld is a database whose charts show series that are kept.
type seriesWorld struct {
	*testing.T
	db   *pgxpool.Pool
	from charts.Reader
}

func newSeriesWorld(t *testing.T) *seriesWorld {
	t.Helper()
	db := dbtest.New(t)
	w := &seriesWorld{T: t, db: db, from: charts.Reader{Series: metrics.NewStore(db, slog.New(slog.DiscardHandler)), Store: charts.NewStore(db)}}
	w.exec(`select fetchq.queue_create(q) from unnest(array['pages', 'images']) q`)
	w.snapshot(dawn)
	return w
}

func (w *seriesWorld) exec(sql string, args ...any) {
	w.Helper()
	if _, err := w.db.Exec(w.Context(), sql, args...); err != nil {
		w.Fatalf("%s: %v", sql, err)
	}
}

// push adds documents to a queue.
func (w *seriesWorld) push(queue string, n int) {
	w.Helper()
	w.exec(`select count(*) from fetchq.doc_push_many($1, array(select gen_random_uuid()::text from generate_series(1, $2)))`, queue, n)
}

// snapshot writes the series up to a moment.
func (w *seriesWorld) snapshot(at time.Time) {
	w.Helper()
	w.exec(`select fetchq.series_partitions($1)`, at)
	w.exec(`select fetchq.mnt_fold(q, $1) from unnest(array['pages', 'images']) q`, at)
	if _, err := w.from.Series.Snapshot(w.Context(), at); err != nil {
		w.Fatal(err)
	}
}

// spec reads a chart by its address.
func (w *seriesWorld) spec(address string) charts.Spec {
	w.Helper()
	q, err := url.ParseQuery(address)
	if err != nil {
		w.Fatal(err)
	}
	c, err := charts.Parse(q)
	if err != nil {
		w.Fatal(err)
	}
	at, err := charts.ParseSpan(q, time.Now())
	if err != nil {
		w.Fatal(err)
	}
	spec, err := c.Spec(w.Context(), w.from, at)
	if err != nil {
		w.Fatal(err)
	}
	return spec
}

// lines writes the lines of a chart, a value that is not known as -.
func lines(s charts.Spec) string {
	var b strings.Builder
	for _, l := range s.Lines {
		fmt.Fprintf(&b, "%s:", l.Label)
		for _, v := range l.Values {
			if v == nil {
				b.WriteString(" -")
			} else {
				fmt.Fprintf(&b, " %.5g", *v)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// same compares a chart with lines, which are indented as the test is.
func (w *seriesWorld) same(what string, s charts.Spec, want ...string) {
	w.Helper()
	if got, want := lines(s), strings.Join(want, "\n")+"\n"; got != want {
		w.Errorf("%s:\n%s%s is right", what, got, want)
	}
}

func TestThePeriodBeforeStandsStepByStepBesideThePresentOne(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t)
	for i, n := range []struct{ pages, images int }{
		{1, 0}, {2, 7}, {0, 0}, {4, 0}, {5, 0}, {6, 0}, // the first minute
		{10, 1}, {0, 0}, {30, 0}, {0, 0}, {50, 2}, {60, 0},
	} {
		w.push("pages", n.pages)
		w.push("images", n.images)
		w.snapshot(sec(10 * (i + 1)))
	}
	const minute = "&from=2026-01-01T00:01&to=2026-01-01T00:02"
	spec := w.spec("queue=pages&m=entered:sum&compare=1&stack=1" + minute)
	w.same("one line", spec, "entered: 10 0 30 0 50 60", "entered, before: 1 2 0 4 5 6")
	if spec.From != sec(60).Unix() || spec.To != sec(120).Unix() || spec.Step != 10 || spec.Stack || spec.Lines[0].Dashed || !spec.Lines[1].Dashed || spec.Lines[1].Color != spec.Lines[0].Color {
		t.Errorf("%+v", spec)
	}
	w.same("rates, and what is pending", w.spec("queue=pages&m=entered:rate&m=docs_pending:max&compare=1"+minute),
		"entered: 1 0 3 0 5 6", "pending max: 28 28 58 58 108 168", "entered, before: 0.1 0.2 0 0.4 0.5 0.6", "pending max, before: 1 3 3 7 12 18")
	w.same("all, and those that are not named", w.spec("queue=pages&m=entered:sum&compare=1&rest=1"+minute),
		"pages: 10 0 30 0 50 60", "other queues: 1 0 0 0 2 0", "pages, before: 1 2 0 4 5 6", "other queues, before: 0 7 0 0 0 0")
	w.same("before the first step", w.spec("m=entered:sum&compare=1&from=2026-01-01T00:00&to=2026-01-01T00:01"),
		"entered: 1 9 0 4 5 6", "entered, before: - - - - - 0") // a snapshot ends the step before its moment
	w.same("the end is not there yet", w.spec("m=entered:sum&compare=1&from=2026-01-01T00:01:30Z&to=2026-01-01T00:02:30Z"),
		"entered: 0 52 60 - - -", "entered, before: 4 5 6 11 0 30")
}

// TestThePeriodBeforeIsReadInWiderStepsWhereItIsKeptInNoOthers compares two periods of which the earlier one is older than steps of 10 s are kept.
func TestThePeriodBeforeIsReadInWiderStepsWhereItIsKeptInNoOthers(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t)
	for i := range 18 { // three minutes: 0 to 5, 6 to 11 and 12 to 17
		w.push("pages", i)
		w.snapshot(sec(10 * (i + 1)))
	}
	for _, hour := range []int{1, 2, 3, 4, 5, 6} {
		w.snapshot(sec(hour * 3600))
	}
	w.snapshot(sec(6*3600 + 60)) // steps of 10 s are kept since the second minute
	spec := w.spec("queue=pages&m=entered:sum&m=docs_pending:max&compare=1&from=2026-01-01T00:01&to=2026-01-01T00:02")
	w.same("by the minute", spec, "entered: 6 7 8 9 10 11", "pending max: 21 28 36 45 55 66",
		"entered, before: 2.5 2.5 2.5 2.5 2.5 2.5", "pending max, before: 15 15 15 15 15 15")
	w.same("rates", w.spec("queue=pages&m=entered:rate&compare=1&from=2026-01-01T00:01:30Z&to=2026-01-01T00:02:30Z"),
		"entered: 0.9 1 1.1 1.2 1.3 1.4", "entered, before: 0.25 0.25 0.25 0.85 0.85 0.85")
}
