package wire_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

func nested(depth int) string {
	half := (depth + 1) / 2
	s := strings.Repeat(`[{"a":`, depth/2) + strings.Repeat("[", depth%2) + strings.Repeat("]", depth%2) + strings.Repeat("}]", depth/2)
	if depth%2 == 0 {
		s = strings.Repeat(`[{"a":`, half) + "1" + strings.Repeat("}]", half)
	}
	return s
}

// good is JSON that CheckJSON takes, and so jsonb must.
var good = []string{
	"null", " true\n", "false", "0", "-0", "-0.0e-0", "1E+5", "123456789012345678901234567890.5", `""`, `"a"`, "[]", "{}", " [ ] ", "{ }",
	`{"a":[1,{"b":null},"c"],"":{}}`, "[[],[],{}]", "\t[\r\n1 , 2 ]", `"\"\\\/\b\f\n\r\t\u00e9\u20AC"`, `"\ud83d\ude00"`, `"\uD83D\uDE00x"`,
	`"` + "\x7f é € 😀 \ufffe \ufffd" + `"`, `{"a":1,"a":2}`, "1e1000", "1e-1000", "1e0001000", "0." + strings.Repeat("9", 999), strings.Repeat("9", 1000),
	"-" + strings.Repeat("9", 996) + "e1000", nested(64), nested(63), strings.Repeat(" ", 100) + "1", `"` + strings.Repeat("a", 100_000) + `"`,
	`"\u0001\u001f\uffff\ue000"`, strings.Repeat("[", 64) + strings.Repeat("]", 64),
	"[" + strings.Repeat("-1.5e-32,", 20_000) + "0]", "[" + strings.Repeat("1e1000,", 65) + "0]", "[" + strings.Repeat("{},", 1000) + "{}]",
}

func TestCheckJSONAccepts(t *testing.T) {
	for _, s := range good {
		if err := wire.CheckJSON([]byte(s)); err != nil {
			t.Errorf("CheckJSON(%.80q) = %v", s, err)
		}
	}
}

func TestCheckJSONRefusesAndSaysWhere(t *testing.T) {
	for _, c := range []struct {
		in   string
		code errs.Code
		says string
	}{
		{"", errs.Malformed, "there is no value"},
		{" \n", errs.Malformed, "there is no value"},
		{"1 2", errs.Malformed, "something follows the value at byte 2"},
		{"[1]]", errs.Malformed, "follows the value at byte 3"},
		{"\ufeff1", errs.Malformed, "a value is missing at byte 0"},
		{"\x001", errs.Malformed, "at byte 0"},
		{"1\x00", errs.Malformed, "at byte 1"},
		{"nul", errs.Malformed, "at byte 0"},
		{"True", errs.Malformed, "at byte 0"},
		{"nullx", errs.Malformed, "at byte 4"},
		{"NaN", errs.Malformed, "at byte 0"},
		{"'a'", errs.Malformed, "at byte 0"},
		{"+1", errs.Malformed, "at byte 0"},
		{"-", errs.Malformed, "a digit is missing at byte 1"},
		{"01", errs.Malformed, "a number begins with 0 at byte 1"},
		{"1.", errs.Malformed, "a digit is missing at byte 2"},
		{".5", errs.Malformed, "at byte 0"},
		{"1e", errs.Malformed, "a digit is missing at byte 2"},
		{"1e+", errs.Malformed, "at byte 3"},
		{"0x10", errs.Malformed, "at byte 1"},
		{"[1,]", errs.Malformed, "a value is missing at byte 3"},
		{"[,1]", errs.Malformed, "at byte 1"},
		{"[1 2]", errs.Malformed, "end of an array is missing at byte 3"},
		{"[1}", errs.Malformed, "end of an array is missing at byte 2"},
		{"[", errs.Malformed, "at byte 1"},
		{`{"a":1]`, errs.Malformed, "end of an object is missing at byte 6"},
		{`{"a":1,}`, errs.Malformed, "name of a member is missing at byte 7"},
		{`{"a" 1}`, errs.Malformed, "a colon is missing at byte 5"},
		{`{"a":}`, errs.Malformed, "a value is missing at byte 5"},
		{`{1:2}`, errs.Malformed, "at byte 1"},
		{`{"a":1 "b":2}`, errs.Malformed, "at byte 7"},
		{`{`, errs.Malformed, "at byte 1"},
		{`"a`, errs.Malformed, "a string without an end at byte 0"},
		{`"a\`, errs.Malformed, "an escape that JSON does not have at byte 2"},
		{`"\x"`, errs.Malformed, "at byte 1"},
		{`"\u12g4"`, errs.Malformed, "four hexadecimal digits at byte 1"},
		{`"\u12`, errs.Malformed, "at byte 1"},
		{"\"a\nb\"", errs.Malformed, "a control character that is not escaped at byte 2"},
		{"\"\xff\"", errs.Malformed, "not valid UTF-8 at byte 1"},
		{"\"\xed\xa0\x80\"", errs.Malformed, "UTF-8 at byte 1"},
		{"\"\xc0\x80\"", errs.Malformed, "UTF-8 at byte 1"},
		{"\"\xf4\x90\x80\x80\"", errs.Malformed, "UTF-8 at byte 1"},
		{"\"\xe2\x82\"", errs.Malformed, "UTF-8 at byte 1"},
		{`["a\u0000"]`, errs.Invalid, "the character NUL at byte 3"},
		{`{"\u0000":1}`, errs.Invalid, "the character NUL at byte 2"},
		{`"\ud83d"`, errs.Invalid, "half of a surrogate pair at byte 1"},
		{`"\ud83dx"`, errs.Invalid, "half of a surrogate pair at byte 1"},
		{`"\ud83d\n"`, errs.Invalid, "half of a surrogate pair at byte 1"},
		{`"\ud83d\ud83d"`, errs.Invalid, "half of a surrogate pair at byte 1"},
		{`"\ude00\ud83d"`, errs.Invalid, "half of a surrogate pair at byte 1"},
		{`[1e1001]`, errs.Invalid, "an exponent over 1000 at byte 1"},
		{`1e-1001`, errs.Invalid, "at byte 0"},
		{"1e99999999999999999999999", errs.Invalid, "at byte 0"},
		{strings.Repeat("9", 1001), errs.Invalid, "more than 1000 digits"},
		{"0." + strings.Repeat("0", 1000), errs.Invalid, "more than 1000 digits"},
		{"1e" + strings.Repeat("0", 1000), errs.Invalid, "more than 1000 digits"},
		{"[" + strings.Repeat("1e1000,", 150_000) + "0]", errs.Invalid, "exponents written out: 1048576 bytes are allowed at byte"},
		{"[" + strings.Repeat("1e-30,", 40_000) + "0]", errs.Invalid, "exponents written out: 1048576 bytes are allowed at byte"},
		{"[" + strings.Repeat("1e1000,", 66) + "0]", errs.Invalid, "those over 32 may add 65536 bytes at byte"},
		{`["` + strings.Repeat("x", 1<<20-9) + `",1e9]`, errs.Invalid, "1048576 bytes are allowed at byte"},
		{strings.Repeat("[", 65) + strings.Repeat("]", 65), errs.Invalid, "more than 64 levels deep at byte 64"},
		{strings.Repeat("[", 100_000), errs.Invalid, "more than 64 levels deep"},
	} {
		err := wire.CheckJSON([]byte(c.in))
		if errs.Of(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("CheckJSON(%.60q) = %v (%s); want %s: %s", c.in, err, errs.Of(err), c.code, c.says)
		}
	}
}

func TestCheckJSONAllocatesNothing(t *testing.T) {
	payload := []byte(`{"url":"https://a.example/é","n":[1,2.5e3,-0],"s":"\ud83d\ude00","deep":` + nested(40) + `}`)
	if n := testing.AllocsPerRun(100, func() {
		if err := wire.CheckJSON(payload); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCheckJSON(b *testing.B) {
	payload := []byte(`{"links":[` + strings.Repeat(`{"url":"https://a.example/some/page?x=1","n":12345,"ok":true},`, 1000) + `null]}`)
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		if err := wire.CheckJSON(payload); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzCheckJSON holds CheckJSON against encoding/json: the same texts are JSON, but for text that is not UTF-8, which
// encoding/json takes.
func FuzzCheckJSON(f *testing.F) {
	for _, s := range good {
		if len(s) < 1000 {
			f.Add([]byte(s))
		}
	}
	for _, s := range []string{`"\ud83d"`, `"\u0000"`, "1e1001", strings.Repeat("[", 65) + strings.Repeat("]", 65), "[1,]", "01", "\"\xff\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		err := wire.CheckJSON(b)
		valid := json.Valid(b) && strings.ToValidUTF8(string(b), "") == string(b)
		switch code := errs.Of(err); code {
		case "":
			if !valid {
				t.Fatalf("CheckJSON(%q) passed", b)
			}
		case errs.Malformed:
			if valid {
				t.Fatalf("CheckJSON(%q) = %v", b, err)
			}
		case errs.Invalid:
		default:
			t.Fatalf("CheckJSON(%q) = %v with the code %s", b, err, code)
		}
	})
}

func ExampleCheckJSON() {
	fmt.Println(wire.CheckJSON([]byte(`{"url":"https://a.example","n":1e9999}`)))
	// Output: this JSON cannot be stored: a number has more than 1000 digits or an exponent over 1000 at byte 31
}
