package wire_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

const (
	sec  = int64(1_000_000)
	mins = 60 * sec
	hour = 60 * mins
)

func TestParseIntervalReadsThreeStyles(t *testing.T) {
	for in, want := range map[string]wire.Interval{
		// Go
		"0": {}, "0s": {}, "30s": {Micros: 30 * sec}, "5m": {Micros: 5 * mins}, "1h30m": {Micros: 90 * mins},
		"1.5h": {Micros: 90 * mins}, ".5s": {Micros: sec / 2}, "100ms": {Micros: 100_000}, "7us": {Micros: 7}, "7µs": {Micros: 7},
		"1d": {Days: 1}, "2w": {Days: 14}, "-1h30m": {Micros: -90 * mins}, "+5m": {Micros: 5 * mins},
		// ISO 8601
		"PT5M": {Micros: 5 * mins}, "P1DT2H": {Days: 1, Micros: 2 * hour}, "P2W": {Days: 14}, "P1Y2M": {Months: 14},
		"P1M": {Months: 1}, "PT1M": {Micros: mins}, "PT0.5S": {Micros: sec / 2}, "-P1DT2H": {Days: -1, Micros: -2 * hour},
		"P-1DT+2H": {Days: -1, Micros: 2 * hour}, "-P-1D": {Days: 1}, "+PT5M": {Micros: 5 * mins}, "P1Y1WT1S": {Months: 12, Days: 7, Micros: sec},
		// Postgres
		"1 week": {Days: 7}, "2 days 03:00:00": {Days: 2, Micros: 3 * hour}, "90 minutes": {Micros: 90 * mins},
		"1 mon": {Months: 1}, "2 Years 1 MONTH": {Months: 25}, "03:04": {Micros: 3*hour + 4*mins}, "100:00:01.25": {Micros: 100*hour + sec + sec/4},
		"-1 day +02:00:00": {Days: -1, Micros: 2 * hour}, "-1 day 02:00:00": {Days: -1, Micros: -2 * hour}, " 3 hrs 2 mins ": {Micros: 3*hour + 2*mins},
		"1.5 days": {Days: 1, Micros: 12 * hour}, "1.5 weeks": {Days: 10, Micros: 12 * hour}, "1.5 months": {Months: 1, Days: 15}, "1.5 years": {Months: 18},
		"0.000000999 s": {}, "10000 years": {Months: 120_000},
	} {
		got, err := wire.ParseInterval(in)
		if err != nil || got != want {
			t.Errorf("ParseInterval(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
}

func TestParseIntervalRefuses(t *testing.T) {
	for _, in := range []string{
		"", " ", "5", "-", "+", "--5m", "+-5m", "-+P1D", "m", "5x", "5 fortnights", "1M", "5D", "1h1h", "5m 1 minute", "5.m", ".m", "1..5m", "1,5h", "1e3s", "0x5m",
		"P", "PT", "P1DT", "P1H", "PT1D", "P1M1Y", "P1D1D", "PT1S1M", "P1", "p1d", "pt5m", "P 1D", "PPT5M", "1h PT5M", "--P1D",
		"1:60", "1:00:60", "1:", "1:2:3:4", "1.5:00", "1:0.5", "1:0.5:00", "01:00 02:00", "- 5m", "5m -", "5m ago", "infinity", "NaN",
		"1.1234567890s", "10001 years", "120001 months", "3660001 days", "99999999999999999999 s", "9223372036854775807us",
		"9000 years 9000 years", "5\x00m", "5m\n", "٣m", strings.Repeat("1", 65),
	} {
		got, err := wire.ParseInterval(in)
		if errs.Of(err) != errs.Invalid || got != (wire.Interval{}) {
			t.Errorf("ParseInterval(%q) = %+v, %v; want an Invalid error", in, got, err)
		}
	}
}

func TestIntervalStringIsInTheWordsOfTheAPI(t *testing.T) {
	for want, in := range map[string]wire.Interval{
		"0s": {}, "5m": {Micros: 5 * mins}, "1h30m": {Micros: 90 * mins}, "1.5s": {Micros: 3 * sec / 2}, "36h": {Micros: 36 * hour},
		"-1h0.000001s": {Micros: -hour - 1}, "1 day": {Days: 1}, "30 days": {Days: 30}, "-1 day": {Days: -1}, "1 month": {Months: 1},
		"12 months": {Months: 12}, "P1M2D": {Months: 1, Days: 2}, "P2DT3H0.5S": {Days: 2, Micros: 3*hour + sec/2},
		"P-1DT2H": {Days: -1, Micros: 2 * hour}, "P1DT-2H-3M": {Days: 1, Micros: -2*hour - 3*mins}, "P-1MT1S": {Months: -1, Micros: sec},
		"-2562047788h54.775808s": {Micros: math.MinInt64},
	} {
		if got := in.String(); got != want {
			t.Errorf("%+v.String() = %q; want %q", in, got, want)
		}
	}
}

func TestIntervalStringIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := wire.Interval{
			Months: rapid.Int32Range(-120_000, 120_000).Draw(t, "months"),
			Days:   rapid.Int32Range(-3_660_000, 3_660_000).Draw(t, "days"),
			Micros: rapid.Int64Range(-3_660_000*24*hour, 3_660_000*24*hour).Draw(t, "micros"),
		}
		got, err := wire.ParseInterval(want.String())
		if err != nil || got != want {
			t.Fatalf("%+v is %q, which reads as %+v, %v", want, want, got, err)
		}
	})
}

func TestParseIntervalReadsWhatADurationWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(-1e15, 1e15).Draw(t, "micros")) * time.Microsecond
		if got, err := wire.ParseInterval(d.String()); err != nil || got != (wire.Interval{Micros: d.Microseconds()}) {
			t.Fatalf("ParseInterval(%q) = %+v, %v", d, got, err)
		}
	})
}

func TestApproxCountsMonthsAs30DaysAndSaturates(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		in   wire.Interval
		want time.Duration
	}{
		{wire.Interval{}, 0},
		{wire.Interval{Months: 1, Days: 1, Micros: 1}, 31*day + time.Microsecond},
		{wire.Interval{Days: -1, Micros: hour}, -23 * time.Hour},
		{wire.Interval{Months: 12 * 290}, 290 * 360 * day},
		{wire.Interval{Months: 12 * 300}, math.MaxInt64},
		{wire.Interval{Months: -12 * 300}, math.MinInt64},
		{wire.Interval{Months: math.MaxInt32, Days: math.MaxInt32, Micros: math.MaxInt64}, math.MaxInt64},
		{wire.Interval{Months: math.MinInt32, Days: math.MinInt32, Micros: math.MinInt64}, math.MinInt64},
		{wire.Interval{Days: 106_751_991, Micros: -106_751_991 * 24 * hour}, 0},
		{wire.Interval{Micros: math.MaxInt64}, math.MaxInt64},
	} {
		if got := c.in.Approx(); got != c.want {
			t.Errorf("%+v.Approx() = %d; want %d", c.in, got, c.want)
		}
	}
}

func FuzzParseInterval(f *testing.F) {
	for _, seed := range []string{"5m", "1h30m", "P1DT2H", "-P-1DT+2H", "2 days 03:00:00", "1.5 months", "1w2d3h4m5s6ms7us"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		iv, err := wire.ParseInterval(s)
		if err != nil {
			if errs.Of(err) != errs.Invalid {
				t.Fatalf("ParseInterval(%q): %v has the code %s", s, err, errs.Of(err))
			}
			return
		}
		again, err := wire.ParseInterval(iv.String())
		if err != nil || again != iv {
			t.Fatalf("%q is %+v, written %q, which reads as %+v, %v", s, iv, iv, again, err)
		}
		if approx := iv.Approx(); (approx > 0) != (float64(iv.Months)*30*24*3.6e9+float64(iv.Days)*24*3.6e9+float64(iv.Micros) > 0) {
			t.Fatalf("%+v.Approx() = %v", iv, approx)
		}
	})
}
