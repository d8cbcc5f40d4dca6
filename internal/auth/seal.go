package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"github.com/fetchq/server/internal/errs"
)

// MinKey is how many characters the key of an installation has at least.
const MinKey = 32

// sealer keeps texts unreadable for who has the database alone, by AES-256-GCM under the key of the installation.
type sealer struct{ aead cipher.AEAD }

// newSealer derives the key from a text of MinKey characters at least, which is random: nobody is slowed down who guesses.
func newSealer(text string) (*sealer, error) {
	if len(text) < MinKey {
		return nil, fmt.Errorf("the key of the installation has %d characters; at least %d random ones are wanted", len(text), MinKey)
	}
	key, err := hkdf.Key(sha256.New, []byte(text), nil, "fetchq second factors", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &sealer{aead}, err
}

// NewKey makes a key for an installation.
func NewKey() string { return secret() }

// seal returns a nonce and the sealed text, which opens only for the same owner.
func (s *sealer) seal(text, owner []byte) []byte {
	nonce := make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return s.aead.Seal(nonce, nonce, text, owner)
}

var errKey = errs.New(errs.Unavailable, "this server cannot check codes: it has no key, or another one than that under which your secret was kept "+
	"(FETCHQ_SECRET_KEY); a recovery code works, or ask an admin")

// open reads what seal made. Errors: Unavailable (without a key, or with another one).
func (s *sealer) open(sealed, owner []byte) ([]byte, error) {
	if s == nil || len(sealed) < s.aead.NonceSize() {
		return nil, errKey
	}
	n := s.aead.NonceSize()
	text, err := s.aead.Open(nil, sealed[:n], sealed[n:], owner)
	if err != nil {
		return nil, errKey
	}
	return text, nil
}
