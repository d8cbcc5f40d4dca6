// Package seal keeps texts in the database unreadable for who has the database alone, under the key of the installation, which is not in it.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// MinKey is how many characters the key of an installation has at least.
const MinKey = 32

// Purpose is what texts are sealed for; what is sealed for one does not open for another. What is in databases depends on its words.
type Purpose string

// The purposes.
const (
	SecondFactors Purpose = "fetchq second factors"
	Destinations  Purpose = "fetchq destinations of backups"
)

// Sealer seals and opens texts by AES-256-GCM. A nil one opens nothing.
type Sealer struct{ aead cipher.AEAD }

// New derives the key of a purpose from a text of MinKey characters at least, which is random: nobody is slowed down who guesses.
func New(text string, purpose Purpose) (*Sealer, error) {
	if len(text) < MinKey {
		return nil, fmt.Errorf("the key of the installation has %d characters; at least %d random ones are wanted", len(text), MinKey)
	}
	key, err := hkdf.Key(sha256.New, []byte(text), nil, string(purpose), 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &Sealer{aead}, err
}

// NewKey makes a key for an installation.
func NewKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return base64.RawURLEncoding.EncodeToString(key)
}

// Seal returns a nonce and the sealed text, which opens only for the same owner.
func (s *Sealer) Seal(text, owner []byte) []byte {
	nonce := make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return s.aead.Seal(nonce, nonce, text, owner)
}

// ErrKey is told of what does not open: without a key, with another one, for another owner, or after a change.
var ErrKey = errors.New("there is no key, or another one than that under which this was sealed")

// Open reads what Seal made, or returns ErrKey.
func (s *Sealer) Open(sealed, owner []byte) ([]byte, error) {
	if s == nil || len(sealed) < s.aead.NonceSize() {
		return nil, ErrKey
	}
	n := s.aead.NonceSize()
	text, err := s.aead.Open(nil, sealed[:n], sealed[n:], owner)
	if err != nil {
		return nil, ErrKey
	}
	return text, nil
}
