package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/fetchq/server/internal/errs"
)

// Costs of argon2id (RFC 9106): passes over so much memory. docs/performance.md has what one hash takes.
const (
	argonPasses = 3
	argonMemory = 48 << 10 // KiB
	argonSalt   = 16       // bytes
	argonKey    = 32       // bytes

	mostMemory = 512 << 10 // KiB, of a hash that was made elsewhere
	mostPasses = 20
)

// Limits of a password.
const (
	MinPassword = 12  // characters
	MaxPassword = 512 // bytes; a hash costs the same whatever the length, a body does not
)

// CheckPassword refuses a password outside its limits, and one that is soon guessed: common words, ways over a keyboard, years,
// repeats, and parts of the e-mail address of its owner.
func CheckPassword(password, email string) error {
	switch n := utf8.RuneCountInString(password); {
	case !utf8.ValidString(password):
		return errs.Field("password", "the password is no valid text")
	case n < MinPassword:
		return errs.Field("password", "the password has %d characters; at least %d are wanted", n, MinPassword)
	case len(password) > MaxPassword:
		return errs.Field("password", "the password has %d bytes; %d are allowed", len(password), MaxPassword)
	case pieces(password, email) < minPieces:
		return errs.Field("password", "this password is soon guessed: it is little more than common words, keys in a row, repeats or your own address; "+
			"take several words that have nothing to do with each other")
	}
	return nil
}

const (
	hashesAtOnce = 2  // each takes argonMemory and a core
	hashesInLine = 32 // more are told to try again
)

// hasher makes and compares hashes of passwords, two at once.
type hasher struct {
	places chan struct{}
	line   atomic.Int32 // how many wait
	derive func(password, salt []byte, passes, memory uint32, lanes uint8, size uint32) []byte
}

func newHasher() *hasher {
	return &hasher{places: make(chan struct{}, hashesAtOnce), derive: argon2.IDKey}
}

// enter waits for a place. Errors: Overloaded (too many wait).
func (h *hasher) enter(ctx context.Context) (leave func(), err error) {
	if h.line.Add(1) > hashesInLine {
		h.line.Add(-1)
		return nil, errs.New(errs.Overloaded, "too many people sign in at once; try again in a moment")
	}
	defer h.line.Add(-1)
	select {
	case h.places <- struct{}{}:
		return func() { <-h.places }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// make returns the hash of a password in PHC form: $argon2id$v=19$m=…,t=…,p=1$salt$key.
func (h *hasher) make(ctx context.Context, password string) (string, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // never fails
	key := h.derive([]byte(password), salt, argonPasses, argonMemory, 1, argonKey)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, argonMemory, argonPasses,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)), nil
}

// fits says whether a password is that of a hash. Where there is none (""), or the password is longer than any, it takes as
// long and says no.
func (h *hasher) fits(ctx context.Context, password, phc string) (bool, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	salt, key, memory, passes := make([]byte, argonSalt), make([]byte, argonKey), uint32(argonMemory), uint32(argonPasses)
	known := phc != "" && len(password) <= MaxPassword
	if !known {
		password = ""
	} else if salt, key, memory, passes, err = parsePHC(phc); err != nil {
		return false, err
	}
	got := h.derive([]byte(password), salt, passes, memory, 1, uint32(len(key))) //nolint:gosec // 32
	return subtle.ConstantTimeCompare(got, key) == 1 && known, nil
}

// outdated says whether a hash was made at other costs than today's, so that it is to be made anew where its password is known.
func outdated(phc string) bool {
	salt, key, memory, passes, err := parsePHC(phc)
	return err == nil && (memory != argonMemory || passes != argonPasses || len(salt) != argonSalt || len(key) != argonKey)
}

func parsePHC(phc string) (salt, key []byte, memory, passes uint32, err error) {
	parts := strings.Split(phc, "$")
	var version int
	if len(parts) == 6 {
		_, err = fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=1", &version, &memory, &passes)
	}
	if len(parts) != 6 || err != nil || parts[1] != "argon2id" || version != argon2.Version {
		return nil, nil, 0, 0, fmt.Errorf("a stored password is not argon2id of version %d in PHC form", argon2.Version)
	}
	if salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err == nil {
		key, err = base64.RawStdEncoding.DecodeString(parts[5])
	}
	// A hash that came with a restored installation must not take the machine's memory.
	if err == nil && (len(salt) < 8 || len(key) < 16 || len(key) > 64 || memory < 8 || memory > mostMemory || passes < 1 || passes > mostPasses) {
		err = errors.New("a stored password has parameters of argon2id that this program never chose")
	}
	return salt, key, memory, passes, err
}
