package wire_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

func fieldOf(err error) string {
	var e *errs.Error
	if errors.As(err, &e) {
		return e.Field
	}
	return ""
}

func TestCheckSubject(t *testing.T) {
	for _, s := range []string{"a", "https://a.example/b?c#d", "%2F/../ \t\n", "🦊", strings.Repeat("a", 255), "\x7f", "\ufffe"} {
		if err := wire.CheckSubject(s); err != nil {
			t.Errorf("CheckSubject(%q) = %v", s, err)
		}
	}
	for _, s := range []string{"", strings.Repeat("a", 256), strings.Repeat("é", 128), "a\x00b", "\xff", "\xed\xa0\x80"} {
		if err := wire.CheckSubject(s); errs.Of(err) != errs.Invalid || fieldOf(err) != "subject" {
			t.Errorf("CheckSubject(%q) = %v; want an Invalid error of subject", s, err)
		}
	}
}

func TestCursorIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.StringOfN(rapid.Rune().Filter(func(r rune) bool { return r != 0 }), 0, 60, 255), 0, 4).Draw(t, "parts")
		cursor := wire.EncodeCursor(parts...)
		got, err := wire.DecodeCursor(cursor, len(parts))
		if err != nil || !slices.Equal(got, parts) {
			t.Fatalf("%q → %s → %q, %v", parts, cursor, got, err)
		}
		if _, err := wire.DecodeCursor(cursor, len(parts)+1); err == nil {
			t.Fatal("a cursor of another list was read")
		}
	})
}

func TestDecodeCursorRefusesWhatNoListGave(t *testing.T) {
	for _, s := range []string{
		"", "x", "====", "AQ==", "Ag", "AQ", "AQE", "AQX_", "AQFhYg", strings.Repeat("A", 3000), "AQFh\n", wire.EncodeCursor("\x00"), wire.EncodeCursor("\xff"),
	} {
		if got, err := wire.DecodeCursor(s, 1); errs.Of(err) != errs.Invalid || fieldOf(err) != "cursor" {
			t.Errorf("DecodeCursor(%q) = %q, %v; want an Invalid error of cursor", s, got, err)
		}
	}
}

func FuzzDecodeCursor(f *testing.F) {
	f.Add(wire.EncodeCursor("a", "b"), uint8(2))
	f.Add(wire.EncodeCursor("1763974800000001", "https://a.example/b?c"), uint8(2))
	f.Add("AQFh\n", uint8(1))
	f.Fuzz(func(t *testing.T, s string, n uint8) {
		parts, err := wire.DecodeCursor(s, int(n))
		if err != nil {
			if errs.Of(err) != errs.Invalid || fieldOf(err) != "cursor" {
				t.Fatalf("DecodeCursor(%q): %v", s, err)
			}
			return
		}
		for _, p := range parts {
			if wire.CheckText("part", p, len(s)) != nil {
				t.Fatalf("DecodeCursor(%q) gave %q", s, p)
			}
		}
		if again, err := wire.DecodeCursor(wire.EncodeCursor(parts...), len(parts)); err != nil || !slices.Equal(again, parts) {
			t.Fatalf("%q → %q → %q, %v", s, parts, again, err)
		}
	})
}

func FuzzCheckSubject(f *testing.F) {
	for _, seed := range []string{"https://a.example/b?c#d", "%2F/../", "a\x00", "\xed\xa0\x80", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if err := wire.CheckSubject(s); err != nil {
			if fieldOf(err) != "subject" {
				t.Fatalf("CheckSubject(%q): %v", s, err)
			}
			return
		}
		if len(s) == 0 || len(s) > wire.MaxSubject || strings.ContainsRune(s, 0) || strings.ToValidUTF8(s, "") != s {
			t.Fatalf("CheckSubject(%q) passed", s)
		}
	})
}
