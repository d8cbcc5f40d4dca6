package wire

import (
	"math"
	"strings"
	"time"

	"github.com/fetchq/server/internal/errs"
)

// MaxInterval is the length in bytes that ParseInterval reads.
const MaxInterval = 64

const (
	second = int64(time.Second / time.Microsecond)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
	month  = 30 * day // as Postgres compares intervals

	// No span over 10,000 years means anything between the years 1970 and 9999; with this bound on each part no sum
	// below can overflow.
	maxMonths = 10_000 * 12
	maxDays   = 10_000 * 366
	maxMicros = maxDays * day
)

// unit is a unit of time. Its size is in microseconds, its grain the part of an Interval that it counts in: month, day
// or 1 (a microsecond).
type unit struct {
	size, grain int64
}

var (
	unitYear   = &unit{12 * month, month}
	unitMonth  = &unit{month, month}
	unitWeek   = &unit{7 * day, day}
	unitDay    = &unit{day, day}
	unitHour   = &unit{hour, 1}
	unitMinute = &unit{minute, 1}
	unitSecond = &unit{second, 1}
	unitMilli  = &unit{1000, 1}
	unitMicro  = &unit{1, 1}
)

// units are the words for units, in lower case. "m" is a minute, as in Go and in Postgres.
var units = map[string]*unit{
	"y": unitYear, "yr": unitYear, "yrs": unitYear, "year": unitYear, "years": unitYear,
	"mon": unitMonth, "mons": unitMonth, "month": unitMonth, "months": unitMonth,
	"w": unitWeek, "week": unitWeek, "weeks": unitWeek,
	"d": unitDay, "day": unitDay, "days": unitDay,
	"h": unitHour, "hr": unitHour, "hrs": unitHour, "hour": unitHour, "hours": unitHour,
	"m": unitMinute, "min": unitMinute, "mins": unitMinute, "minute": unitMinute, "minutes": unitMinute,
	"s": unitSecond, "sec": unitSecond, "secs": unitSecond, "second": unitSecond, "seconds": unitSecond,
	"ms": unitMilli, "msec": unitMilli, "msecs": unitMilli, "millisecond": unitMilli, "milliseconds": unitMilli,
	"us": unitMicro, "µs": unitMicro, "μs": unitMicro, "usec": unitMicro, "usecs": unitMicro,
	"microsecond": unitMicro, "microseconds": unitMicro,
}

// ParseInterval reads a span of time in one of three styles: Go ("30s", "1h30m", also "1d" and "2w"), ISO 8601
// ("PT5M", "P1DT2H", "P2W") or Postgres ("1 week", "2 days 03:00:00", "90 minutes").
//
// A sign holds for all that follows it, up to the next sign. A part may have a fraction of up to 9 digits; what is
// below a microsecond is cut off. The error is an *errs.Error (Invalid) without a field.
func ParseInterval(s string) (Interval, error) {
	if len(s) > MaxInterval {
		return Interval{}, errs.New(errs.Invalid, "a duration of %d bytes is over the limit of %d", len(s), MaxInterval)
	}
	p := intervalParser{rest: strings.Trim(s, " "), seen: make(map[*unit]bool, 4)}
	if why := p.parse(); why != "" {
		return Interval{}, errs.New(errs.Invalid, "%q is no duration: %s; write one like 30s, 1h30m, PT5M or 2 days", s, why)
	}
	return Interval{Months: int32(p.months), Days: int32(p.days), Micros: p.micros}, nil //nolint:gosec // bounded by add
}

// Approx returns the length with months of 30 days and days of 24 hours, as Postgres compares intervals. A length
// beyond 291 years, near the end of what a time.Duration holds, comes as the longest one.
func (iv Interval) Approx() time.Duration {
	const most = 9.19e15 // microseconds
	days := int64(iv.Months)*30 + int64(iv.Days)
	switch approx := float64(days)*float64(day) + float64(iv.Micros); {
	case approx > most:
		return math.MaxInt64
	case approx < -most:
		return math.MinInt64
	}
	// Where the product is too large for an int64, the sum, which is not, wraps back.
	return time.Duration(days*day+iv.Micros) * time.Microsecond
}
