package wire

import (
	"math/bits"
	"strings"
)

// intervalParser reads one interval from the left. Its methods return what is wrong in a few words, or "".
type intervalParser struct {
	rest                 string
	negative             bool
	seen                 map[*unit]bool
	months, days, micros int64
}

// number is digits[.digits]: whole + fraction / scale.
type number struct {
	whole           int64
	fraction, scale uint64
}

func (p *intervalParser) parse() string {
	if p.rest == "" {
		return "it is empty"
	}
	if p.rest == "0" { // the one number that needs no unit, as in Go
		return ""
	}
	if after := strings.TrimLeft(p.rest, "+-"); len(p.rest)-len(after) <= 1 && strings.HasPrefix(after, "P") {
		p.sign()
		return p.iso()
	}
	for p.rest != "" {
		if why := p.part(); why != "" {
			return why
		}
		p.rest = strings.TrimLeft(p.rest, " ")
	}
	return ""
}

// sign reads a sign if one is there; without one the last one goes on.
func (p *intervalParser) sign() {
	if p.rest != "" && (p.rest[0] == '+' || p.rest[0] == '-') {
		p.negative = p.rest[0] == '-'
		p.rest = p.rest[1:]
	}
}

// part reads a signed number with its unit, or a time of the form 03:00:00.
func (p *intervalParser) part() string {
	p.sign()
	n, why := p.number()
	if why != "" {
		return why
	}
	if strings.HasPrefix(p.rest, ":") && n.fraction == 0 {
		return p.clock(n)
	}
	p.rest = strings.TrimLeft(p.rest, " ")
	end := strings.IndexAny(p.rest, " +-.:0123456789")
	if end < 0 {
		end = len(p.rest)
	}
	word := p.rest[:end]
	p.rest = p.rest[end:]
	if word == "" {
		return "a number has no unit"
	}
	u := units[word]
	if u == nil && len(word) > 1 { // a single capital is not read: is M a month or a minute?
		u = units[strings.ToLower(word)]
	}
	if u == nil {
		return "it has a unit that is not known"
	}
	return p.once(n, u)
}

// clock reads what follows the hours in a time of the form hours:minutes or hours:minutes:seconds.
func (p *intervalParser) clock(hours number) string {
	if why := p.once(hours, unitHour); why != "" {
		return why
	}
	for _, u := range []*unit{unitMinute, unitSecond} {
		if !strings.HasPrefix(p.rest, ":") {
			break
		}
		p.rest = p.rest[1:]
		n, why := p.number()
		switch {
		case why != "":
			return why
		case n.whole > 59:
			return "minutes and seconds after a colon go from 0 to 59"
		case n.fraction != 0 && u == unitMinute:
			return "after a colon only seconds have a fraction"
		}
		if why := p.once(n, u); why != "" {
			return why
		}
	}
	return ""
}

// isoUnits are the parts of the ISO 8601 form in their order; T has no unit.
var isoUnits = []struct {
	letter byte
	unit   *unit
}{
	{'Y', unitYear},
	{'M', unitMonth},
	{'W', unitWeek},
	{'D', unitDay},
	{'T', nil},
	{'H', unitHour},
	{'M', unitMinute},
	{'S', unitSecond},
}

const isoTime = 4 // the place of T in isoUnits

// iso reads the ISO 8601 form. Each part may have a sign of its own, as Postgres writes it.
func (p *intervalParser) iso() string {
	p.rest = p.rest[1:]
	if p.rest == "" {
		return "nothing follows P"
	}
	outer, at := p.negative, 0
	for p.rest != "" {
		if p.rest[0] == 'T' && len(p.rest) > 1 && at <= isoTime {
			p.rest = p.rest[1:]
			at = isoTime + 1
			continue
		}
		p.negative = false
		p.sign()
		p.negative = p.negative != outer
		n, why := p.number()
		if why != "" {
			return why
		}
		for at < len(isoUnits) && isoUnits[at].unit != nil && !strings.HasPrefix(p.rest, string(isoUnits[at].letter)) {
			at++
		}
		if at == len(isoUnits) || isoUnits[at].unit == nil {
			return "after P come Y, M, W and D, then T with H, M and S, each once and in this order"
		}
		p.rest = p.rest[1:]
		if why := p.add(n, isoUnits[at].unit); why != "" {
			return why
		}
		at++
	}
	return ""
}

// number reads digits with an optional fraction of up to 9 digits.
func (p *intervalParser) number() (number, string) {
	n := number{scale: 1}
	i := 0
	for ; i < len(p.rest) && isDigit(p.rest[i]); i++ {
		if n.whole = n.whole*10 + int64(p.rest[i]-'0'); n.whole > maxMicros {
			return n, tooLong
		}
	}
	from := i + 1
	if i < len(p.rest) && p.rest[i] == '.' {
		for i = from; i < len(p.rest) && isDigit(p.rest[i]); i++ {
			n.fraction = n.fraction*10 + uint64(p.rest[i]-'0')
			if n.scale *= 10; n.scale > 1e9 {
				return n, "a fraction has more than 9 digits"
			}
		}
	}
	if i == 0 || i == from && n.scale == 1 {
		return n, "a number is missing"
	}
	p.rest = p.rest[i:]
	return n, ""
}

const tooLong = "it is over 10,000 years"

// once adds a part in a form where the parts stand in any order, each at most once.
func (p *intervalParser) once(n number, u *unit) string {
	if p.seen[u] {
		return "it has the same unit twice"
	}
	p.seen[u] = true
	return p.add(n, u)
}

// add adds n units. As in Postgres, a fraction of a month or more goes on in months, days and time, that of a week or
// a day in days and time.
func (p *intervalParser) add(n number, u *unit) string {
	per := u.size / u.grain
	if n.whole > maxMicros/per {
		return tooLong
	}
	high, low := bits.Mul64(n.fraction, uint64(u.size)) //nolint:gosec // sizes are positive
	quotient, _ := bits.Div64(high, low, n.scale)       // fraction < scale, so it is below size
	whole, rest := n.whole*per, int64(quotient)         //nolint:gosec // below size
	var months, days int64
	if u.grain == month {
		months, rest = whole+rest/month, rest%month
		whole = 0
	}
	if u.grain >= day {
		days, rest = whole+rest/day, rest%day
		whole = 0
	}
	micros := whole + rest
	if p.negative {
		months, days, micros = -months, -days, -micros
	}
	p.months, p.days, p.micros = p.months+months, p.days+days, p.micros+micros
	if abs(p.months) > maxMonths || abs(p.days) > maxDays || abs(p.micros) > maxMicros {
		return tooLong
	}
	return ""
}

func abs(n int64) int64 { return max(n, -n) }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
