package metrics

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/errs"
)

func TestLinesGoOnWhereTheProcessBeforeLeftOff(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t, "a", "b")
	w.push("a", 60)
	w.snapshot(sec(60)) // 60 are there in the last 10 s of the first minute
	w.exec(`select count(*) from fetchq.doc_pick_many('a', p_limit => 45)`)
	w.exec(`select count(*) from (select array_agg(subject) s, array_agg(lease) l, array_agg(case when n <= 30 then 'complete' else 'kill' end) c
			from (select *, row_number() over (order by subject) n from q_a.docs where status = 2) d where n <= 36) t
		cross join lateral fetchq.doc_resolve_many('a', s, l, c)`)
	w.snapshot(sec(90))
	now := sec(104) // the steps of the lines end here, and those of the series at whole half minutes
	lines, err := w.store.Past(w.ctx, []string{"a", "b", AllQueues}, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", AllQueues} {
		for _, l := range []struct {
			word      string
			want, got []float64
		}{
			{"pending", line(0, 0, 20, 45), lines[name].Pending}, {"active", line(0, 0, 0, 3), lines[name].Active},
			{"killed", line(0, 0, 0, 2), lines[name].Killed}, {"processed", line(0, 0, 0, 60), lines[name].Processed},
		} {
			if diff := cmp.Diff(l.want[Points-4:], l.got[Points-4:], near); diff != "" {
				t.Errorf("%s: %s %s", name, l.word, diff)
			}
		}
	}

	sample := []Sample{{Queue: "a", Pending: 30, Active: 4, Killed: 6, Entered: 60, Processed: 30}, {Queue: "b"}}
	r := New(func(context.Context) ([]Sample, error) { return sample, nil }, w.store.Past, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	if err := r.runOnce(w.ctx); err != nil {
		t.Fatal(err)
	}
	r.remember(w.ctx)
	for name, got := range map[string]Trend{"a": r.Of("a"), "all": r.Total()} {
		want := [][]float64{line(0, 0, 20, 45, 30)[Points-5:], line(0, 0, 0, 3, 4)[Points-5:], line(0, 0, 0, 2, 6)[Points-5:]}
		if diff := cmp.Diff(want, [][]float64{got.Pending[Points-5:], got.Active[Points-5:], got.Killed[Points-5:]}, near); diff != "" || got.Known {
			t.Errorf("%s: known %v, pending, active and killed %s", name, got.Known, diff)
		}
	}
	now = now.Add(29*Step + every)
	sample[0].Processed += 10
	if err := r.runOnce(w.ctx); err != nil {
		t.Fatal(err)
	}
	if got := r.Of("a"); got.Pending[0] != 30 {
		t.Errorf("what is older than 15 minutes still stands: %v", got.Pending)
	}
}

func TestAQueueThatWentLeavesThePastOfTheOthers(t *testing.T) {
	t.Parallel()
	past := func(_ context.Context, queues []string, _ time.Time) (map[string]Trend, error) {
		lines := map[string]Trend{}
		for _, q := range queues {
			if q == "gone" {
				return nil, errs.New(errs.NotFound, "there is no such queue")
			}
			lines[q] = unknownTrend()
			lines[q].Pending[Points-1] = 7
		}
		return lines, nil
	}
	sample := []Sample{{Queue: "a"}, {Queue: "gone"}, {Queue: "z"}}
	now := dawn
	r := New(func(context.Context) ([]Sample, error) { return sample, nil }, past, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	if err := r.runOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.remember(t.Context())
	now = now.Add(every)
	for name, got := range map[string]Trend{"a": r.Of("a"), "z": r.Of("z"), "all": r.Total()} {
		if got.Pending[Points-2] != 7 {
			t.Errorf("%s: %v", name, got.Pending)
		}
	}
}

func TestAPastThatCannotBeReadIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	asked := 0
	past := func(context.Context, []string, time.Time) (map[string]Trend, error) {
		asked++
		return nil, errors.New("away")
	}
	r := New(func(context.Context) ([]Sample, error) { return nil, nil }, past, time.Now, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	r.loop(ctx)
	if asked != 1 || r.past != nil {
		t.Errorf("it was asked for %d times", asked)
	}
}
