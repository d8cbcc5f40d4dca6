package wire

import (
	"strings"
	"time"

	"github.com/fetchq/server/internal/errs"
)

// ParseDate reads a moment: RFC 3339 with an offset ("2026-11-24T09:00:00Z"), cut to microseconds, or a span from now
// with a sign ("+2 days", "-1h"), as ParseInterval reads it. Years go from 1970 to 9999 in UTC.
//
// The error is an *errs.Error (Invalid) without a field.
func ParseDate(s string) (Date, error) {
	if len(s) > MaxInterval {
		return Date{}, errs.New(errs.Invalid, "a date of %d bytes is over the limit of %d", len(s), MaxInterval)
	}
	if strings.HasPrefix(s, "+") || strings.HasPrefix(s, "-") {
		iv, err := ParseInterval(s)
		if err != nil {
			return Date{}, err
		}
		return Date{Delay: &iv}, nil
	}
	at, ok := parseRFC3339(s)
	if !ok {
		return Date{}, errs.New(errs.Invalid, "%q is no date: write RFC 3339, like 2026-11-24T09:00:00Z, or a span with a sign, like +2 days", s)
	}
	if at.Year() < 1970 || at.Year() > 9999 {
		return Date{}, errs.New(errs.Invalid, "the date %q is outside the years 1970 to 9999", s)
	}
	return Date{At: at}, nil
}

// parseRFC3339 is stricter than time.Parse, which takes hours of one digit and a comma, and wider where RFC 3339 is:
// small letters, and the leap second, which counts as the next one, as in Postgres.
func parseRFC3339(s string) (time.Time, bool) {
	const layout = "0000-00-00T00:00:00"
	if len(s) <= len(layout) {
		return time.Time{}, false
	}
	for i := range len(layout) {
		switch c := s[i]; layout[i] {
		case '0':
			if !isDigit(c) {
				return time.Time{}, false
			}
		case 'T':
			if c != 'T' && c != 't' {
				return time.Time{}, false
			}
		default:
			if c != layout[i] {
				return time.Time{}, false
			}
		}
	}
	rest := s[len(layout):]
	micros := 0
	if rest[0] == '.' {
		n := 0
		for scale := 100_000; n+1 < len(rest) && isDigit(rest[n+1]); n++ {
			micros += int(rest[n+1]-'0') * scale
			scale /= 10
		}
		if n == 0 || n > 9 {
			return time.Time{}, false
		}
		rest = rest[n+1:]
	}
	offset, ok := parseOffset(rest)
	if !ok {
		return time.Time{}, false
	}
	year, mon, dom := twoDigits(s)*100+twoDigits(s[2:]), twoDigits(s[5:]), twoDigits(s[8:])
	hours, minutes, seconds := twoDigits(s[11:]), twoDigits(s[14:]), twoDigits(s[17:])
	date := time.Date(year, time.Month(mon), dom, 0, 0, 0, 0, time.UTC)
	if date.Month() != time.Month(mon) || date.Day() != dom || hours > 23 || minutes > 59 || seconds > 60 {
		return time.Time{}, false // the 31st of November, or an hour 24
	}
	return time.Date(year, time.Month(mon), dom, hours, minutes, seconds-offset, micros*1000, time.UTC), true
}

// parseOffset reads Z or ±hh:mm and returns seconds east of UTC.
func parseOffset(s string) (seconds int, ok bool) {
	if s == "Z" || s == "z" {
		return 0, true
	}
	if len(s) != len("+00:00") || s[0] != '+' && s[0] != '-' || s[3] != ':' ||
		!isDigit(s[1]) || !isDigit(s[2]) || !isDigit(s[4]) || !isDigit(s[5]) {
		return 0, false
	}
	hours, minutes := twoDigits(s[1:]), twoDigits(s[4:])
	if hours > 23 || minutes > 59 {
		return 0, false
	}
	seconds = hours*3600 + minutes*60
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// twoDigits reads two digits that are known to be digits.
func twoDigits(s string) int { return int(s[0]-'0')*10 + int(s[1]-'0') }
