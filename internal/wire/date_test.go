package wire_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

func TestParseDateReadsRFC3339InMicroseconds(t *testing.T) {
	for in, want := range map[string]string{
		"2026-11-24T09:00:00Z":                "2026-11-24T09:00:00Z",
		"2026-11-24t09:00:00z":                "2026-11-24T09:00:00Z",
		"2026-11-24T09:00:00.123456789Z":      "2026-11-24T09:00:00.123456Z",
		"2026-11-24T09:00:00.5+02:00":         "2026-11-24T07:00:00.5Z",
		"2026-11-24T09:00:00-23:59":           "2026-11-25T08:59:00Z",
		"2024-02-29T23:59:59.999999999-00:00": "2024-02-29T23:59:59.999999Z",
		"2016-12-31T23:59:60Z":                "2017-01-01T00:00:00Z",
		"1970-01-01T00:00:00Z":                "1970-01-01T00:00:00Z",
		"9999-12-31T23:59:59.999999Z":         "9999-12-31T23:59:59.999999Z",
	} {
		got, err := wire.ParseDate(in)
		if err != nil || got.At.Format(time.RFC3339Nano) != want || got.Delay != nil {
			t.Errorf("ParseDate(%q) = %+v, %v; want %s", in, got, err, want)
		}
	}
}

func TestParseDateReadsASpanWithASign(t *testing.T) {
	for in, want := range map[string]wire.Interval{
		"+2 days": {Days: 2}, "-1h": {Micros: -hour}, "+PT5M": {Micros: 5 * mins}, "-P1DT2H": {Days: -1, Micros: -2 * hour}, "+0s": {},
	} {
		got, err := wire.ParseDate(in)
		if err != nil || !got.At.IsZero() || got.Delay == nil || *got.Delay != want {
			t.Errorf("ParseDate(%q) = %+v, %v; want %+v", in, got, err, want)
		}
		if got.IsZero() {
			t.Errorf("ParseDate(%q) counts as not given", in)
		}
	}
}

func TestParseDateRefuses(t *testing.T) {
	for _, in := range []string{
		"", "now", "2 days", "5m", "+", "-", "+5", "+0", "+x", "2026-11-24", "2026-11-24T09:00:00", "2026-11-24 09:00:00Z", "2026-11-24T9:00:00Z",
		"2026-11-24T09:00Z", "2026-11-24T09:00:00.Z", "2026-11-24T09:00:00,5Z", "2026-11-24T09:00:00.1234567890Z", "2026-11-24T09:00:00+0200",
		"2026-11-24T09:00:00+02", "2026-11-24T09:00:00+24:00", "2026-11-24T09:00:00+02:60", "2026-11-24T09:00:00ZZ", "2026-11-24T09:00:00Z ",
		"2026-11-31T09:00:00Z", "2023-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z",
		"2026-11-24T24:00:00Z", "2026-11-24T09:60:00Z", "2026-11-24T09:00:61Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+00:01",
		"9999-12-31T23:59:59-00:01", "0000-01-01T00:00:00Z", "20260-1-24T09:00:00Z", "infinity", strings.Repeat("2", 65),
	} {
		got, err := wire.ParseDate(in)
		if errs.Of(err) != errs.Invalid || !got.IsZero() {
			t.Errorf("ParseDate(%q) = %+v, %v; want an Invalid error", in, got, err)
		}
	}
}

func FuzzParseDate(f *testing.F) {
	for _, seed := range []string{"2026-11-24T09:00:00.123456789+02:00", "+2 days", "-1h", "+PT5M", "2016-12-31t23:59:60z"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := wire.ParseDate(s)
		if err != nil {
			if errs.Of(err) != errs.Invalid {
				t.Fatalf("ParseDate(%q): %v has the code %s", s, err, errs.Of(err))
			}
			return
		}
		if d.Delay != nil {
			return // FuzzParseInterval's
		}
		if d.At.Year() < 1970 || d.At.Year() > 9999 || d.At.Nanosecond()%1000 != 0 || d.At.Location() != time.UTC {
			t.Fatalf("ParseDate(%q) = %v", s, d.At)
		}
		// Whatever time.Parse reads too, it reads as the same moment.
		if std, err := time.Parse(time.RFC3339, s); err == nil && !std.Truncate(time.Microsecond).Equal(d.At) {
			t.Fatalf("ParseDate(%q) = %v; time.Parse says %v", s, d.At, std)
		}
		again, err := wire.ParseDate(d.At.Format(time.RFC3339Nano))
		if err != nil || !again.At.Equal(d.At) {
			t.Fatalf("%q is %v, which reads as %v, %v", s, d.At, again.At, err)
		}
	})
}
