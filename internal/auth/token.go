package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/fetchq/server/internal/errs"
)

// The rights of a token. Admin has all.
const (
	Read    = "read"
	Push    = "push"
	Work    = "work"
	Metrics = "metrics"
	Admin   = "admin"
)

// Rights are all rights, in the order in which they are told.
var Rights = []string{Read, Push, Work, Metrics, Admin}

// Token is what is known about a token. The token itself is not: only its SHA-256 is kept.
type Token struct {
	ID         uuid.UUID
	Name       string
	Rights     []string
	Queues     []string // names, or beginnings of names with * at their end; nil: all queues
	CreatedAt  time.Time
	CreatedBy  *string // nil: the command line
	ExpiresAt  *time.Time
	RevokedAt  *time.Time
	LastUsedAt *time.Time // to the minute

	LastUsedFrom *string // an address
	RotatedAt    *time.Time
	OldUntil     *time.Time // until then the secret from before the last rotation is good too
	OldUsedAt    *time.Time // to the minute: when that was used last
}

// Can says whether the token has a right, somewhere.
func (t Token) Can(right string) bool {
	return slices.Contains(t.Rights, right) || slices.Contains(t.Rights, Admin)
}

// Sees says whether the token may touch a queue.
func (t Token) Sees(queue string) bool { return fits(t.Queues, queue) }

// fits says whether one of some patterns is that of a queue: its name, or the beginning of it with * behind. nil is that of all.
func fits(patterns []string, queue string) bool {
	return patterns == nil || slices.ContainsFunc(patterns, func(pattern string) bool {
		if start, open := strings.CutSuffix(pattern, "*"); open {
			return strings.HasPrefix(queue, start)
		}
		return queue == pattern
	})
}

const prefix = "fq_"

// mint makes the text of a new token: fq_, 32 random bytes in base64url, and the CRC-32 of both in six letters, by which
// a scanner tells a token from what looks like one, and we a typing error without asking the database.
func mint() string {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails
	text := prefix + base64.RawURLEncoding.EncodeToString(secret[:])
	return text + checksum(text)
}

func checksum(text string) string {
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(text)))
	return base64.RawURLEncoding.EncodeToString(sum)
}

// tokenLength is what mint makes: 3 + 43 + 6.
const tokenLength = len(prefix) + 43 + 6

// wellFormed says whether a text can be a token.
func wellFormed(text string) bool {
	if len(text) != tokenLength || !strings.HasPrefix(text, prefix) {
		return false
	}
	return checksum(text[:tokenLength-6]) == text[tokenLength-6:]
}

func hash(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

var queuePattern = regexp.MustCompile(`^([a-z][a-z0-9_]{0,39}\*?|\*)$`)

// check refuses a name, rights or queues outside their limits.
func check(name string, rights, queues []string) error {
	if len(name) < 1 || len(name) > 100 {
		return errs.Field("name", "the name has %d bytes; 1 to 100 are allowed", len(name))
	}
	if !plain(name) {
		return errs.Field("name", "the name is no text in one line")
	}
	if len(rights) == 0 {
		return errs.Field("rights", "at least one of %s is wanted", strings.Join(Rights, ", "))
	}
	for _, r := range rights {
		if !slices.Contains(Rights, r) {
			return errs.Field("rights", "%.40q is no right; there are %s", r, strings.Join(Rights, ", "))
		}
	}
	return checkPatterns(queues)
}

// checkPatterns refuses a list of patterns outside its limits.
func checkPatterns(queues []string) error {
	if len(queues) > 1000 {
		return errs.Field("queues", "%d queues are named; 1000 are allowed, and a name may end in *", len(queues))
	}
	for _, q := range queues {
		if !queuePattern.MatchString(q) {
			return errs.Field("queues", "%s is no queue; a name is 1 to 40 of a-z, 0-9 and _, and may end in *", fmt.Sprintf("%.50q", q))
		}
	}
	return nil
}
