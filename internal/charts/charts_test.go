package charts

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/errs"
)

var now = time.Date(2026, 11, 25, 9, 30, 17, 0, time.UTC)

func TestARangeIsWholeStepsUpToNow(t *testing.T) {
	t.Parallel()
	for _, r := range Ranges {
		s, err := ParseSpan(url.Values{"range": {r.Word}}, now)
		if err != nil {
			t.Fatal(err)
		}
		if s.Points() > MaxPoints || s.Points() < MaxPoints/8 {
			t.Errorf("%s: %d points", r.Word, s.Points())
		}
		if age := now.Sub(s.To); age < 0 || age >= s.Step || s.To.Truncate(s.Step) != s.To || s.From.Truncate(s.Step) != s.From {
			t.Errorf("%s: %v to %v in steps of %v", r.Word, s.From, s.To, s.Step)
		}
		if over := s.To.Sub(s.From); over < r.Over-s.Step || over > r.Over+s.Step {
			t.Errorf("%s shows %v", r.Word, over)
		}
		again, err := ParseSpan(s.Query(), now)
		if err != nil || again != s {
			t.Errorf("%s: %v is read back as %v, %v", r.Word, s, again, err)
		}
	}
}

func TestASpanThatWasChosenHoldsBothEnds(t *testing.T) {
	t.Parallel()
	s, err := ParseSpan(url.Values{"from": {"2026-11-25T08:00:03Z"}, "to": {"2026-11-25T08:10:07Z"}}, now)
	if err != nil {
		t.Fatal(err)
	}
	want := Span{From: time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC), To: time.Date(2026, 11, 25, 8, 10, 10, 0, time.UTC), Step: 10 * time.Second}
	if s != want {
		t.Errorf("%+v, want %+v", s, want)
	}
	if b := want.Before(); b.To != want.From || b.Points() != want.Points() {
		t.Errorf("before it: %+v", b)
	}
}

func TestASpanIsReadFromTheFieldsOfAForm(t *testing.T) {
	t.Parallel()
	s, err := ParseSpan(url.Values{"from": {"2026-11-25T08:00"}, "to": {"2026-11-25T09:00"}}, now)
	if err != nil || !s.From.Equal(now.Truncate(time.Hour).Add(-time.Hour)) || s.To.Sub(s.From) != time.Hour {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestSpansThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	for text, field := range map[string]string{
		"range=2h": "range", "from=yesterday": "from", "from=2026-11-25T08:00:00Z&to=soon": "to", "to=2026-11-25T08:00:00Z": "from",
		"from=2026-11-25T08:00:00Z&to=2026-11-25T08:00:59Z": "to", "from=2026-11-25T08:00:00Z&to=2026-11-24T08:00:00Z": "to",
		"from=2020-11-25T08:00:00Z": "from",
	} {
		q, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ParseSpan(q, now)
		var e *errs.Error
		if !errors.As(err, &e) || e.Code != errs.Invalid || e.Field != field {
			t.Errorf("%s: %v, want the field %s", text, err, field)
		}
	}
}

func TestAStepIsChosenWhereALineHasTwoTo400Values(t *testing.T) {
	t.Parallel()
	for over, want := range map[string]string{
		"range=15m": "10s 1m", "": "10s 1m 10m", "range=6h": "1m 10m 1h", "range=24h": "10m 1h", "range=7d": "1h", "range=30d": "", "range=1y": "",
		"from=2026-11-25T08:00:03Z&to=2026-11-25T09:06:33Z": "10s 1m 10m", // 400 steps with both its ends
		"from=2026-11-25T08:00:03Z&to=2026-11-25T09:06:43Z": "1m 10m",     // and 401
		"from=2026-11-23T08:00:00Z&to=2026-11-25T09:00:00Z": "10m 1h", "range=1h&step=": "10s 1m 10m",
	} {
		q, err := url.ParseQuery(over)
		if err != nil {
			t.Fatal(err)
		}
		automatic, err := ParseSpan(q, now)
		if err != nil || automatic.Chosen != "" {
			t.Fatalf("%s: %+v, %v", over, automatic, err)
		}
		var taken []string
		for _, step := range Steps {
			q.Set("step", step.Word)
			at, err := ParseSpan(q, now)
			if err != nil {
				var e *errs.Error
				if !errors.As(err, &e) || e.Field != "step" || at != automatic {
					t.Errorf("%s in steps of %s: %+v, %v", over, step.Word, at, err)
				}
				continue
			}
			taken = append(taken, step.Word)
			if again, err := ParseSpan(at.Query(), now); err != nil || again != at || at.Step != step.Width || at.Chosen != step.Word ||
				at.Points() > MaxPoints || at.Points() < 1 || at.From.Truncate(at.Step) != at.From || at.To.Truncate(at.Step) != at.To {
				t.Errorf("%s in steps of %s: %+v is read back as %+v, %v", over, step.Word, at, again, err)
			}
		}
		if got := strings.Join(taken, " "); got != want {
			t.Errorf("%s has steps of %s; %s are right", over, got, want)
		}
	}
	for text, says := range map[string]string{
		"range=6h&step=10s":  "a line has 400 values at most, and there would be 2160 in steps of 10s; 1m is the shortest for this time",
		"range=15m&step=10m": "a line has two values at least, and there would be less in steps of 10m; 1m is the longest for this time",
		"range=1y&step=1h":   "and there would be 8760 in steps of 1h; there is only the automatic one for this time",
		"step=5m":            "one of 10s, 1m, 10m and 1h is wanted, or none for the automatic one",
	} {
		q, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseSpan(q, now); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; %q is right", text, err, says)
		}
	}
}

func TestAChartIsItsAddress(t *testing.T) {
	t.Parallel()
	c := Of("Work", []string{"pages", "images"}, "work:p50", "work:p99")
	c.Compare, c.Rest = true, true
	got, err := Parse(c.Query())
	if err != nil || !cmp.Equal(got, c) {
		t.Errorf("%+v, %v", got, err)
	}
	stacked, err := Parse(Of("", nil, "docs_pending:avg").Stacked().Query())
	if err != nil || !stacked.Stack {
		t.Errorf("%+v, %v", stacked, err)
	}
}

func TestChartsThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	for text, field := range map[string]string{
		"": "m", "m=picked": "m", "m=picked:median": "m", "m=:rate": "m", "title=" + strings.Repeat("x", 101) + "&m=a:sum": "title",
		"m=a:sum&queue=%00": "queue", "m=a:sum&queue=Pages": "queue", "m=a:sum&queue=1a": "queue", "m=a:sum&queue=" + strings.Repeat("x", 41): "queue",
		"m=a%00:sum": "m", "m=A:sum": "m", "m=_a:sum": "m", "m=" + strings.Repeat("x", 64) + ":sum": "m", "m=a:sum%00": "m",
		"m=a:sum&title=a%00b": "title", "m=a:sum&title=a%0Ab": "title", "m=a:sum&title=%FF": "title",
	} {
		q, _ := url.ParseQuery(text)
		_, err := Parse(q)
		var e *errs.Error
		if !errors.As(err, &e) || e.Field != field {
			t.Errorf("%q: %v, want the field %s", text, err, field)
		}
	}
	q := url.Values{"queue": {strings.Repeat("x", 40)}, "m": {strings.Repeat("x", 63) + ":sum"}, "title": {"Größe <b>"}}
	if _, err := Parse(q); err != nil {
		t.Errorf("the longest names: %v", err)
	}
	q = url.Values{"queue": {"a", "b\x00c"}, "m": {"picked:rate"}}
	if c, err := Parse(q); err == nil || !strings.Contains(err.Error(), `"b\x00c" is no name of a queue`) || len(c.Queues) != 1 {
		t.Errorf("%+v, %v; the value is wanted, and what was read before it", c, err)
	}
	q = url.Values{}
	for i := range 51 {
		q.Add("queue", "q"+string(rune('a'+i%26))+string(rune('a'+i/26)))
	}
	q.Add("m", "picked:rate")
	if _, err := Parse(q); errs.Of(err) != errs.Invalid {
		t.Errorf("51 queues: %v", err)
	}
	q["queue"] = q["queue"][:31]
	q.Add("m", "completed:rate")
	if _, err := Parse(q); errs.Of(err) != errs.Invalid {
		t.Errorf("62 lines: %v", err)
	}
}

// steady answers each line with one value: how many letters the queue's name has, 100 for all; and a gap in the middle.
type steady struct{ asked []Ask }

func (s *steady) Values(_ context.Context, asks []Ask, span Span) ([][]float64, error) {
	s.asked = append(s.asked, asks...)
	out := make([][]float64, len(asks))
	for i, a := range asks {
		v := float64(len(a.Queue))
		if a.Queue == "" {
			v = 100
		}
		out[i] = slices.Repeat([]float64{v}, span.Points())
		out[i][span.Points()/2] = math.NaN()
	}
	return out, nil
}

func (s *steady) Marks(context.Context, []string, time.Time, time.Time) ([]Mark, error) {
	return []Mark{{At: 7, Text: "v1"}}, nil
}

func (s *steady) Names(_ context.Context, queues []string) ([]Metric, error) {
	return []Metric{{"parse", "timing"}, {"visits", "counter"}}, nil
}

func labels(s Spec) []string {
	var list []string
	for _, l := range s.Lines {
		list = append(list, l.Label)
	}
	return list
}

func TestLinesAreNamedByWhatDiffers(t *testing.T) {
	t.Parallel()
	at, _ := ParseSpan(url.Values{}, now)
	rest := Of("", []string{"pages", "images"}, "completed:rate")
	rest.Rest = true
	before := Of("", []string{"pages"}, "errors:rate")
	before.Compare = true
	for _, tt := range []struct {
		chart Chart
		want  []string
	}{
		{Of("", nil, "docs_pending:avg"), []string{"pending"}},
		{Of("", []string{"pages"}, "docs_planned:avg", "docs_killed:avg"), []string{"planned", "killed"}},
		{Of("", []string{"pages"}, "work:p50", "work:p99"), []string{"p50", "p99"}},
		{Of("", nil, "picked:rate", "wait:p95"), []string{"picked", "wait p95"}},
		{Of("", []string{"pages", "images"}, "docs_pending:avg"), []string{"pages", "images"}},
		{Of("", []string{"pages", "images"}, "entered:rate", "picked:rate"), []string{"pages entered", "images entered", "pages picked", "images picked"}},
		{rest, []string{"pages", "images", "other queues"}},
		{before, []string{"errors", "errors, before"}},
	} {
		spec, err := tt.chart.Spec(t.Context(), &steady{}, at)
		if err != nil || !slices.Equal(labels(spec), tt.want) {
			t.Errorf("%+v: %q, %v; want %q", tt.chart, labels(spec), err, tt.want)
		}
	}
}

func TestASpecHasGapsAndWhatIsLeft(t *testing.T) {
	t.Parallel()
	at, _ := ParseSpan(url.Values{"range": {"15m"}}, now)
	c := Of("Throughput", []string{"pages", "images"}, "completed:rate").Stacked()
	c.Rest = true
	spec, err := c.Spec(t.Context(), &steady{}, at)
	if err != nil {
		t.Fatal(err)
	}
	if spec.Lines[0].Unit != "rate" || !spec.Stack || spec.Step != 10 || spec.To-spec.From != 900 || len(spec.Marks) != 1 {
		t.Errorf("%+v", spec)
	}
	for _, l := range spec.Lines {
		if len(l.Values) != 90 || l.Values[45] != nil || l.Values[44] == nil {
			t.Errorf("%s has %d values, or no gap", l.Label, len(l.Values))
		}
	}
	if left := spec.Lines[2].Values[0]; *left != 100-5-6 {
		t.Errorf("%v is left for the others", *left)
	}
	if left := subtract([]float64{0.3, 2, math.NaN()}, [][]float64{{0.1, 3, 1}, {0.2, math.NaN(), 1}}); left[0] != 0 || left[1] != 0 || !math.IsNaN(left[2]) {
		t.Errorf("%v is left", left)
	}
	text, err := json.Marshal(spec)
	if err != nil || !strings.Contains(string(text), `"values":[5,5`) || !strings.Contains(string(text), ",null,") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestUnits(t *testing.T) {
	t.Parallel()
	at, _ := ParseSpan(url.Values{}, now)
	for measure, want := range map[string]string{
		"docs_pending:avg": "count", "picked:rate": "rate", "picked:sum": "count", "wait:p95": "ms", "work:avg": "ms", "work:rate": "rate", "parse:p50": "ms",
		"parse:max": "ms", "visits:sum": "count", "gone_from_here:avg": "count", "body_bytes:sum": "bytes", "bytes:rate": "bytes_rate", "fetch_ms:max": "ms",
	} {
		spec, err := Of("", []string{"pages"}, measure).Spec(t.Context(), &steady{}, at)
		if err != nil || spec.Lines[0].Unit != want {
			t.Errorf("%s is in %s, want %s; %v", measure, spec.Lines[0].Unit, want, err)
		}
	}
}

func TestAChartHasTwoUnitsAtMost(t *testing.T) {
	t.Parallel()
	at, _ := ParseSpan(url.Values{}, now)
	two := Of("", nil, "picked:rate", "work:p95").Stacked()
	spec, err := two.Spec(t.Context(), &steady{}, at)
	if err != nil || spec.Lines[0].Unit != "rate" || spec.Lines[1].Unit != "ms" || spec.Stack {
		t.Errorf("%+v, %v", spec, err)
	}
	three := Of("", nil, "picked:rate", "work:p95", "docs_pending:avg")
	if _, err := three.Spec(t.Context(), &steady{}, at); errs.Of(err) != errs.Invalid || !strings.Contains(err.Error(), "count, ms, rate") {
		t.Errorf("three units: %v", err)
	}
	if err := three.Check(t.Context(), &steady{}); errs.Of(err) != errs.Invalid {
		t.Errorf("three units: %v", err)
	}
	if err := two.Check(t.Context(), &steady{}); err != nil {
		t.Errorf("two units: %v", err)
	}
}

func TestWhatIsLeftIsNothingAndNotTheLastDigits(t *testing.T) {
	t.Parallel()
	left := subtract([]float64{0.1 + 0.2, 5, 3, math.NaN()}, [][]float64{{0.3, 2, 2, 1}, {0, math.NaN(), 2, 1}})
	if left[0] != 0 || left[1] != 3 || left[2] != 0 || !math.IsNaN(left[3]) {
		t.Errorf("%v", left)
	}
}

func TestNewsOfAChartAreItsEnd(t *testing.T) {
	t.Parallel()
	at, err := ParseSpan(url.Values{"range": {"15m"}}, time.Unix(1_800_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	c := Of("", []string{"pages"}, "completed:rate")
	for seen, first := range map[time.Duration]int{
		-time.Hour: 0, 0: 0, at.Step: 0, 2 * at.Step: 1, 50*at.Step + time.Second: 49, 89 * at.Step: 88, 90 * at.Step: 89, time.Hour: 89,
	} {
		spec, err := c.News(t.Context(), &steady{}, at, at.From.Add(seen))
		if err != nil || spec.First != first || len(spec.Lines[0].Values) != 90-first || spec.From != at.From.Unix() || spec.To != at.To.Unix() || len(spec.Marks) != 1 {
			t.Errorf("%v: %+v, %v", seen, spec, err)
		}
	}
	c.Compare = true
	if spec, err := c.News(t.Context(), &steady{}, at, at.To); err != nil || spec.First != 0 || len(spec.Lines[1].Values) != 90 {
		t.Errorf("a comparison is told from %d on: %v", spec.First, err)
	}
}
