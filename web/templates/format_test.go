package templates

import (
	"math"
	"testing"
	"time"
)

func TestNumber(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0", 999: "999", 1000: "1,000", 12_345: "12,345", 999_999: "999,999", 1_240_000: "1.24 M", 1_999_999: "1.99 M", 160_000_000: "160.00 M",
		2_500_000_000: "2.50 G", -12_345: "-12,345", math.MaxInt64: "9223372.03 T", math.MinInt64: "-9223372.03 T",
	} {
		if got := Number(n); got != want {
			t.Errorf("Number(%d) is %q; %q is wanted", n, got, want)
		}
	}
}

func TestExact(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 100: "100", 1_240_000: "1,240,000", -1000: "-1,000", math.MinInt64: "-9,223,372,036,854,775,808"} {
		if got := Exact(n); got != want {
			t.Errorf("Exact(%d) is %q; %q is wanted", n, got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0 s", 5 * time.Millisecond: "5 ms", 1200 * time.Millisecond: "1.2 s", 2 * time.Second: "2 s", 42 * time.Second: "42 s",
		192 * time.Second: "3 m 12 s", time.Hour: "1 h", 26 * time.Hour: "1 d 2 h", time.Hour + 5*time.Second: "1 h", -time.Minute: "-1 m",
	} {
		if got := Span(d); got != want {
			t.Errorf("Span(%s) is %q; %q is wanted", d, got, want)
		}
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	for r, want := range map[float64]string{0: "0", 0.4: "0.4", 9.96: "10.0", 12.3: "12", 12_345: "12,345"} {
		if got := Rate(r); got != want {
			t.Errorf("Rate(%v) is %q; %q is wanted", r, got, want)
		}
	}
	if got := Rate(math.NaN()); got != "–" {
		t.Errorf("a rate that is not known is %q", got)
	}
}

func TestAgo(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{0: "now", 3 * time.Second: "3 s ago", -2 * time.Hour: "in 2 h", 100 * time.Hour: "4 d 4 h ago"} {
		if got := Ago(now.Add(-d), now); got != want {
			t.Errorf("%s before now is %q; %q is wanted", d, got, want)
		}
	}
}

func TestASparklineHasAGapWhereNothingIsKnown(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	line, area := spark([]float64{nan, 0, 2, nan, nan, 1})
	if want := "M20.0 19.0L40.0 1.0M100.0 10.0h-0.5"; line != want {
		t.Errorf("the line is %s; %s is wanted", line, want)
	}
	if want := "M20.0 19.0L40.0 1.0L40.0 20L20.0 20ZM100.0 10.0L100.0 20L100.0 20Z"; area != want {
		t.Errorf("the area is %s; %s is wanted", area, want)
	}
	if line, area := spark([]float64{nan, nan}); line != "" || area != "" {
		t.Errorf("of nothing there is a line %q and an area %q", line, area)
	}
}
