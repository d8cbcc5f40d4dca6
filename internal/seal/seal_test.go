package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func TestATextIsSealedForItsOwnerUnderOneKeyAndForOnePurpose(t *testing.T) {
	t.Parallel()
	if _, err := New(strings.Repeat("x", 31), SecondFactors); err == nil {
		t.Error("a short key is taken")
	}
	key := NewKey()
	one, err := New(key, SecondFactors)
	if err != nil {
		t.Fatal(err)
	}
	other, err := New(NewKey(), SecondFactors)
	if err != nil {
		t.Fatal(err)
	}
	aside, err := New(key, Destinations)
	if err != nil {
		t.Fatal(err)
	}
	text, ann := []byte("a shared secret"), []byte("ann")
	sealed := one.Seal(text, ann)
	if got, err := one.Open(sealed, ann); err != nil || !bytes.Equal(got, text) || bytes.Contains(sealed, text) {
		t.Errorf("%q, %v", got, err)
	}
	if bytes.Equal(sealed, one.Seal(text, ann)) {
		t.Error("one nonce twice")
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another owner": func() ([]byte, error) { return one.Open(sealed, []byte("bob")) }, "another key": func() ([]byte, error) { return other.Open(sealed, ann) },
		"another purpose": func() ([]byte, error) { return aside.Open(sealed, ann) },
		"no key":          func() ([]byte, error) { return (*Sealer)(nil).Open(sealed, ann) }, "changed": func() ([]byte, error) { return one.Open(changed, ann) },
		"too short": func() ([]byte, error) { return one.Open(sealed[:5], ann) },
	} {
		if got, err := open(); !errors.Is(err, ErrKey) || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestWhatIsInDatabasesOpens has a text that was sealed once and for all.
func TestWhatIsInDatabasesOpens(t *testing.T) {
	t.Parallel()
	for purpose, text := range map[Purpose]string{SecondFactors: sealedFactor, Destinations: sealedDestination} {
		s, err := New("a key of an installation for tests", purpose)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Open(sealed, []byte("owner")); err != nil || string(got) != "a text" {
			t.Errorf("%s: %q, %v; a new one is %x", purpose, got, err, s.Seal([]byte("a text"), []byte("owner")))
		}
	}
}

const (
	sealedFactor      = "39825b723005e1f0799e87f2dba24631f0e148b4d065336e0cf31bbfa47695c36447"
	sealedDestination = "868d508daa31fb7dac7a01b579cac2b290abab25a0732f4d6965488e6c529e3c98d0"
)
