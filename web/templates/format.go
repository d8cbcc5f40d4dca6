package templates

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Number writes a count for people: 12,345; from a million on 1.24 M, whose exact value belongs in a title.
func Number(n int64) string {
	size, sign := uint64(n), "" //nolint:gosec // two's complement
	if n < 0 {
		size, sign = -size, "-"
	}
	for _, unit := range []struct {
		from uint64
		word string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}} {
		if size >= unit.from {
			return fmt.Sprintf("%s%.2f %s", sign, math.Floor(float64(size)*100/float64(unit.from))/100, unit.word)
		}
	}
	return sign + Exact(int64(size)) //nolint:gosec // below a million
}

// Exact writes all digits of a count, in groups of three.
func Exact(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// Rate writes how many a minute: 0, 0.4, 12, 12,345.
func Rate(perMinute float64) string {
	switch {
	case math.IsNaN(perMinute):
		return "–"
	case perMinute == 0:
		return "0"
	case perMinute < 10:
		return strconv.FormatFloat(perMinute, 'f', 1, 64)
	}
	return Number(int64(math.Round(perMinute)))
}

var spans = []struct {
	size time.Duration
	word string
}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}

// Span writes a duration in its two largest units: 1.2 s, 3 m 12 s, 4 d 2 h.
func Span(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Span(-d)
	case d < time.Millisecond:
		return "0 s"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < 10*time.Second:
		return strings.TrimSuffix(strconv.FormatFloat(d.Seconds(), 'f', 1, 64), ".0") + " s"
	}
	var parts []string
	d = d.Round(time.Second)
	for _, s := range spans {
		if d >= s.size {
			parts = append(parts, fmt.Sprintf("%d %s", d/s.size, s.word))
			d %= s.size
		} else if len(parts) > 0 {
			break
		}
		if len(parts) == 2 {
			break
		}
	}
	return strings.Join(parts, " ")
}

// Ago says how long before (or, with "in", after) now a moment lies.
func Ago(at, now time.Time) string {
	d := now.Sub(at)
	switch {
	case d < time.Second && d > -time.Second:
		return "now"
	case d > 0:
		return Span(d.Truncate(time.Second)) + " ago"
	}
	return "in " + Span((-d).Truncate(time.Second))
}

// sentence makes a sentence of an error's text, which may begin with an address: that stays as it is written.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return text
	}
	if word, _, _ := strings.Cut(text, " "); !strings.ContainsAny(word, "@/") {
		text = string(unicode.ToUpper(first)) + text[size:]
	}
	if strings.ContainsAny(text[len(text)-1:], ".!?…") {
		return text
	}
	return text + "."
}

// Size writes how many bytes something has: 512 B, 1.5 KiB, 1.0 MiB.
func Size(n int) string {
	switch {
	case n < 1<<10:
		return strconv.Itoa(n) + " B"
	case n < 1<<20:
		return strconv.FormatFloat(float64(n)/(1<<10), 'f', 1, 64) + " KiB"
	}
	return strconv.FormatFloat(float64(n)/(1<<20), 'f', 1, 64) + " MiB"
}

// Stamp writes a moment in UTC, to the second.
func Stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// Machine writes a moment for machines.
func Machine(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// plural is "1 document", "3 documents".
func plural(n int64, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return Exact(n) + " " + word + "s"
}

// escape makes a text a value in the query of a URL.
func escape(text string) string { return url.QueryEscape(text) }

// cutRunes returns the first n letters of a text, and says with … that there are more.
func cutRunes(text string, n int) string {
	if len(text) <= n {
		return text
	}
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	return string(runes[:n]) + "…"
}

// indented writes JSON over several lines; what is none stays as it is. Its numbers keep their digits.
func indented(text string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(text), "", "  ") != nil {
		return text
	}
	return b.String()
}
