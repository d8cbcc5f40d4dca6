package wire

import (
	"fmt"
	"strconv"
	"strings"
)

// String returns the interval in the API's words: "1h30m" or "1.5s" for a span of time alone, "30 days" and "1 month"
// for days or months alone, ISO 8601 ("P1M2DT3H") for a mixture. ParseInterval reads it back.
func (iv Interval) String() string {
	switch {
	case iv.Months == 0 && iv.Days == 0:
		return iv.clock()
	case iv.Months == 0 && iv.Micros == 0:
		return counted(iv.Days, "day")
	case iv.Days == 0 && iv.Micros == 0:
		return counted(iv.Months, "month")
	default:
		return iv.iso()
	}
}

func (iv Interval) clock() string {
	if iv.Micros == 0 {
		return "0s"
	}
	var b strings.Builder
	if iv.Micros < 0 {
		b.WriteByte('-')
	}
	writeTime(&b, iv.Micros, "hms", "")
	return b.String()
}

func (iv Interval) iso() string {
	var b strings.Builder
	b.WriteByte('P')
	if iv.Months != 0 {
		fmt.Fprintf(&b, "%dM", iv.Months)
	}
	if iv.Days != 0 {
		fmt.Fprintf(&b, "%dD", iv.Days)
	}
	if iv.Micros != 0 {
		b.WriteByte('T')
		sign := ""
		if iv.Micros < 0 {
			sign = "-"
		}
		writeTime(&b, iv.Micros, "HMS", sign)
	}
	return b.String()
}

// writeTime writes hours, minutes and seconds of the absolute value with the three letters, each after the sign.
func writeTime(b *strings.Builder, micros int64, letters, sign string) {
	n := uint64(micros) //nolint:gosec // made positive in the next line; the least int64 has no positive int64
	if micros < 0 {
		n = -n
	}
	const second, minute, hour = uint64(second), uint64(minute), uint64(hour)
	if h := n / hour; h > 0 {
		fmt.Fprintf(b, "%s%d%c", sign, h, letters[0])
	}
	if m := n % hour / minute; m > 0 {
		fmt.Fprintf(b, "%s%d%c", sign, m, letters[1])
	}
	if s := n % minute; s > 0 {
		text := strconv.FormatUint(s/second, 10)
		if s%second > 0 {
			text += strings.TrimRight(fmt.Sprintf(".%06d", s%second), "0")
		}
		fmt.Fprintf(b, "%s%s%c", sign, text, letters[2])
	}
}

func counted(n int32, noun string) string {
	if n == 1 || n == -1 {
		return fmt.Sprintf("%d %s", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
