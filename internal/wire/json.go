package wire

import (
	"unicode/utf8"

	"github.com/fetchq/server/internal/errs"
)

// Limits of the JSON that reaches the database.
const (
	MaxDepth    = 64    // arrays and objects within each other
	MaxDigits   = 1_000 // digits of one number, those of its exponent included
	MaxExponent = 1_000 // of a number, either way
)

// Postgres keeps a number without its zeros and writes them out whenever it is read: 1e1000 comes back with a thousand.
const (
	MaxPayload  = 1 << 20  // bytes of one value, as it is sent and as it comes back
	MaxZeros    = 64 << 10 // zeros that exponents over shortZeros stand for, in one value: its size as stored tells nothing of them
	shortZeros  = 32       // what a number takes where it is stored makes up for so many
	tooManyText = "its numbers take too much with their exponents written out: "
)

// maxNesting bounds what a scanner can follow at all, which is what a request's body may have around its payloads.
const maxNesting = 1_024

// CheckJSON tells whether b is one JSON value (RFC 8259) that Postgres's jsonb takes: UTF-8, no deeper than MaxDepth,
// numbers within MaxDigits and MaxExponent, no NUL and no half of a surrogate pair. Whatever it accepts, jsonb accepts, and
// gives back without a surprise: exponents that make b longer than MaxPayload, or add more than MaxZeros, are refused. (A b
// that is longer as it stands, and has none, is the caller's to measure.)
//
// The error is an *errs.Error without a field that says what is wrong at which byte, counted from 0: Malformed for
// what is not JSON, Invalid for JSON that is outside these limits. It never repeats what stands there.
func CheckJSON(b []byte) error {
	s := scanner{b: b, strict: true}
	if err := s.document(); err != nil {
		return err
	}
	return nil
}

// scanner goes over JSON text once and allocates nothing but its error.
type scanner struct {
	b      []byte
	i      int
	strict bool // keep the limits of jsonb too; else only those of JSON
	depth  int
	object [maxNesting / 64]uint64 // per depth one bit: it is an object

	zeros, longZeros int // what exponents stand for: all, and those of long ones
}

// document reads one value with nothing behind it.
func (s *scanner) document() *errs.Error {
	s.space()
	if s.i == len(s.b) {
		return errs.New(errs.Malformed, "not JSON: there is no value")
	}
	if err := s.value(); err != nil {
		return err
	}
	return s.end()
}

func (s *scanner) end() *errs.Error {
	if s.space(); s.i < len(s.b) {
		return s.malformed("something follows the value")
	}
	return nil
}

// value reads one value, with white space before it, and stops behind it.
func (s *scanner) value() *errs.Error {
	outer := s.depth
	for {
		s.space()
		opened, err := s.begin()
		if err != nil {
			return err
		}
		if opened {
			continue // to the first element or member
		}
		more, err := s.close(outer)
		if err != nil || !more {
			return err
		}
	}
}

// begin reads a scalar, an empty container, or the beginning of a container up to its first value (opened).
func (s *scanner) begin() (opened bool, err *errs.Error) {
	switch c := s.peek(); {
	case c == '"':
		return false, s.text()
	case c == '{' || c == '[':
		if err := s.push(c == '{'); err != nil {
			return false, err
		}
		s.space()
		if s.peek() == c+2 { // } is { + 2, ] is [ + 2
			s.i++
			s.depth--
			return false, nil
		}
		if c == '{' {
			return true, s.key()
		}
		return true, nil
	case c == '-' || isDigit(c):
		return false, s.number()
	case c == 't':
		return false, s.word("true")
	case c == 'f':
		return false, s.word("false")
	case c == 'n':
		return false, s.word("null")
	}
	return false, s.malformed("a value is missing")
}

// close reads the ends of containers behind a value. More is true where a comma leads to another value, false where
// the container depth is back at outer.
func (s *scanner) close(outer int) (more bool, err *errs.Error) {
	for s.depth > outer {
		s.space()
		object := s.inObject()
		switch c := s.peek(); {
		case c == ',':
			s.i++
			if object {
				s.space()
				return true, s.key()
			}
			return true, nil
		case c == '}' && object || c == ']' && !object:
			s.i++
			s.depth--
		case object:
			return false, s.malformed("a comma or the end of an object is missing")
		default:
			return false, s.malformed("a comma or the end of an array is missing")
		}
	}
	return false, nil
}

// key reads a member's name and the colon behind it.
func (s *scanner) key() *errs.Error {
	if s.peek() != '"' {
		return s.malformed("the name of a member is missing")
	}
	if err := s.text(); err != nil {
		return err
	}
	s.space()
	if s.peek() != ':' {
		return s.malformed("a colon is missing")
	}
	s.i++
	return nil
}

func (s *scanner) push(object bool) *errs.Error {
	if s.strict && s.depth == MaxDepth || s.depth == maxNesting {
		return s.invalid("it is more than %d levels deep", s.depth)
	}
	bit := uint64(1) << (s.depth % 64)
	if object {
		s.object[s.depth/64] |= bit
	} else {
		s.object[s.depth/64] &^= bit
	}
	s.depth++
	s.i++
	return nil
}

func (s *scanner) inObject() bool {
	top := s.depth - 1
	return s.object[top/64]>>(top%64)&1 == 1
}

func (s *scanner) word(w string) *errs.Error {
	if end := s.i + len(w); end <= len(s.b) && string(s.b[s.i:end]) == w {
		s.i = end
		return nil
	}
	return s.malformed("a value is missing")
}

// number reads a number as RFC 8259 writes it.
func (s *scanner) number() *errs.Error {
	from := s.i
	if s.peek() == '-' {
		s.i++
	}
	digits := 1
	if s.peek() == '0' {
		s.i++
	} else if digits, _ = s.digits(); digits == 0 {
		return s.malformed("a digit is missing")
	}
	if isDigit(s.peek()) {
		return s.malformed("a number begins with 0")
	}
	if s.peek() == '.' {
		s.i++
		n, _ := s.digits()
		if n == 0 {
			return s.malformed("a digit is missing")
		}
		digits += n
	}
	exponent := 0
	if c := s.peek(); c == 'e' || c == 'E' {
		s.i++
		if c := s.peek(); c == '+' || c == '-' {
			s.i++
		}
		var n int
		if n, exponent = s.digits(); n == 0 {
			return s.malformed("a digit is missing")
		}
		digits += n
	}
	if s.strict && (digits > MaxDigits || exponent > MaxExponent) {
		s.i = from
		return s.invalid("a number has more than %d digits or an exponent over %d", MaxDigits, MaxExponent)
	}
	if s.strict && exponent > 0 {
		return s.writeOut(exponent)
	}
	return nil
}

// writeOut counts the zeros that an exponent stands for.
func (s *scanner) writeOut(exponent int) *errs.Error {
	s.zeros += exponent
	if len(s.b)+s.zeros > MaxPayload {
		return s.invalid(tooManyText+"%d bytes are allowed", MaxPayload)
	}
	if exponent <= shortZeros {
		return nil
	}
	if s.longZeros += exponent; s.longZeros > MaxZeros {
		return s.invalid(tooManyText+"those over %d may add %d bytes", shortZeros, MaxZeros)
	}
	return nil
}

// digits reads digits and returns how many there are, and their value as far as it is at most MaxExponent + 1.
func (s *scanner) digits() (count, value int) {
	from := s.i
	for ; isDigit(s.peek()); s.i++ {
		value = min(value*10+int(s.b[s.i]-'0'), MaxExponent+1)
	}
	return s.i - from, value
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// peek returns the next byte, or 0, which begins nothing in JSON, at the end.
func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) malformed(what string) *errs.Error {
	return errs.New(errs.Malformed, "not JSON: %s at byte %d", what, s.i)
}

func (s *scanner) invalid(format string, args ...any) *errs.Error {
	return errs.New(errs.Invalid, "this JSON cannot be stored: "+format+" at byte %d", append(args, s.i)...)
}

// text reads a string with its quotes.
func (s *scanner) text() *errs.Error {
	from := s.i
	s.i++
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return nil
		case c == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		case c < ' ':
			return s.malformed("a control character that is not escaped")
		case c < utf8.RuneSelf:
			s.i++
		default:
			r, size := utf8.DecodeRune(s.b[s.i:])
			if r == utf8.RuneError && size == 1 {
				return s.malformed("a string that is not valid UTF-8")
			}
			s.i += size
		}
	}
	s.i = from
	return s.malformed("a string without an end")
}

// escape reads a backslash and what it escapes; of a surrogate pair both halves.
func (s *scanner) escape() *errs.Error {
	from := s.i
	s.i++
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i++
		return nil
	case 'u':
		s.i++
	default:
		s.i = from
		return s.malformed("an escape that JSON does not have")
	}
	r, ok := s.hex()
	if !ok {
		s.i = from
		return s.malformed("an escape without four hexadecimal digits")
	}
	if !s.strict {
		return nil // halves pair up or not, each reads as an escape
	}
	switch {
	case r == 0:
		s.i = from
		return s.invalid("a string holds the character NUL")
	case r >= 0xD800 && r < 0xDC00: // the first half; the second must follow
		if s.peek() == '\\' && s.i+1 < len(s.b) && s.b[s.i+1] == 'u' {
			s.i += 2
			if low, ok := s.hex(); ok && low >= 0xDC00 && low < 0xE000 {
				return nil
			}
		}
		fallthrough
	case r >= 0xDC00 && r < 0xE000:
		s.i = from
		return s.invalid("a string holds half of a surrogate pair")
	}
	return nil
}

// hex reads four hexadecimal digits.
func (s *scanner) hex() (r rune, ok bool) {
	for range 4 {
		switch c := s.peek(); {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
		s.i++
	}
	return r, true
}
