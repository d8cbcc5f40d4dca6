package auth

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/fetchq/server/internal/errs"
)

func TestAHashIsReadBack(t *testing.T) {
	t.Parallel()
	h := newHasher() // the real one
	phc, err := h.make(t.Context(), goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(phc, "$argon2id$v=19$m=49152,t=3,p=1$") || strings.Contains(phc, goodPassword) {
		t.Errorf("it is %q", phc)
	}
	again, err := h.make(t.Context(), goodPassword)
	if err != nil || again == phc {
		t.Errorf("the same salt twice, or %v", err)
	}
	for password, want := range map[string]bool{goodPassword: true, goodPassword + " ": false, "": false, "Correct horse battery": false} {
		if got, err := h.fits(t.Context(), password, phc); err != nil || got != want {
			t.Errorf("%q: %v, %v", password, got, err)
		}
	}
	// One that was made at other costs is compared at these.
	const cheap = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$GLDsJL9CgJTuVpiyiJAxVvBhF4r5sfRUCYCPCBSSIwg"
	salt, key, memory, passes, err := parsePHC(cheap)
	if err != nil || string(salt) != "somesalt" || len(key) != 32 || memory != 64 || passes != 1 {
		t.Errorf("read as %q, %d bytes, %d KiB, %d passes, %v", salt, len(key), memory, passes, err)
	}
	for _, wrong := range []string{
		"x", "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$GLDs", "$argon2id$v=16$m=64,t=1,p=1$c29tZXNhbHQ$GLDs", "$argon2id$v=19$m=64$c29tZXNhbHQ$GLDs",
		"$argon2id$v=19$m=64,t=1,p=1$?$GLDs", "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$?", strings.Repeat("$", 9),
	} {
		if fits, err := h.fits(t.Context(), goodPassword, wrong); err == nil || fits {
			t.Errorf("%q is read", wrong)
		}
	}
}

func TestLimitsOfAPassword(t *testing.T) {
	t.Parallel()
	const mixed, umlauts = "kd8#vpw2zmr6", "äöüßéèêâîôûç"
	for password, want := range map[string]bool{
		"": false, mixed[:11]: false, mixed: true, umlauts: true, umlauts[2:]: false, mixed + strings.Repeat("x", 500): true,
		mixed + strings.Repeat("x", 501): false, mixed + "\xff": false,
	} {
		if err := CheckPassword(password, "ann@example.org"); (err == nil) != want {
			t.Errorf("%.20q of %d bytes: %v", password, len(password), err)
		}
	}
}

func TestAPasswordThatIsSoonGuessedIsRefused(t *testing.T) {
	t.Parallel()
	for _, password := range []string{
		"123456789012", "qwertyuiop12", "QWERTZUIOP!!", "poiuytrewq21", "1qaz2wsx3edc", "1q2w3e4r5t6y", "abcdefghijklm", "xxxxxxxxxxxx", strings.Repeat("x", 512),
		"            ", strings.Repeat("\x00", 12), "abcabcabcabc", strings.Repeat("k7#", 100), "password1234", "P@ssw0rd2024!", "Welcome12345", "Summer2026!!",
		"monkeydragon", "ILoveYou4ever", "fetchqfetchq", "ann.archibald", "Archibald2026", "ann.archibald@widgets.example", "widgets12345", "passwort1985",
	} {
		if err := CheckPassword(password, "Ann.Archibald@widgets.example"); err == nil {
			t.Errorf("%.30q is taken", password)
		} else if strings.Contains(err.Error(), password) {
			t.Errorf("it is repeated: %v", err)
		}
	}
	for _, password := range []string{goodPassword, "another good password", "kd8#vpw2zmr6", "Archibald's old bicycle", "tuba mango cliff", "3 Äpfel am Zaun!"} {
		if err := CheckPassword(password, "Ann.Archibald@widgets.example"); err != nil {
			t.Errorf("%q: %v", password, err)
		}
	}
}

// TestTwoHashesAtOnceAndALineThatEnds holds the hashes open until all who came have found their place.
func TestTwoHashesAtOnceAndALineThatEnds(t *testing.T) {
	t.Parallel()
	const atOnce, inLine = 2, 32
	h := newHasher()
	var now, most atomic.Int32
	begun, open := make(chan struct{}, 100), make(chan struct{})
	h.derive = func(password, salt []byte, _, _ uint32, _ uint8, size uint32) []byte {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		begun <- struct{}{}
		<-open
		now.Add(-1)
		return argon2.IDKey(password, salt, 1, 64, 1, size)
	}
	var all sync.WaitGroup
	var refused, made atomic.Int32
	try := func() {
		_, err := h.make(context.Background(), goodPassword)
		switch errs.Of(err) {
		case "":
			made.Add(1)
		case errs.Overloaded:
			refused.Add(1)
		default:
			t.Errorf("a hash: %v", err)
		}
	}
	for range atOnce {
		all.Go(try)
	}
	for range atOnce {
		<-begun
	}
	for range inLine {
		all.Go(try)
	}
	for deadline := time.Now().Add(10 * time.Second); h.line.Load() < inLine; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d wait", h.line.Load())
		}
	}
	for range 5 {
		try()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.fits(ctx, goodPassword, ""); err == nil {
		t.Error("one who has gone away gets a hash")
	}
	close(open)
	all.Wait()
	if most.Load() > atOnce || refused.Load() != 5 || made.Load() != atOnce+inLine || h.line.Load() != 0 {
		t.Errorf("%d at once, %d refused, %d made, %d wait on", most.Load(), refused.Load(), made.Load(), h.line.Load())
	}
}
