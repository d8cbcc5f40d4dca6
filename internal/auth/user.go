package auth

import (
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/fetchq/server/internal/errs"
)

// User is a person who may sign in to the pages.
type User struct {
	ID          uuid.UUID
	Email       string
	Name        string
	Role        Role
	HasPassword bool // a user without one waits for the one-time link to be opened
	CreatedAt   time.Time
	DisabledAt  *time.Time
	LastLoginAt *time.Time

	SecondFactor bool   // a sign-in takes a code too
	Identity     string // issuer and subject of whom an OpenID provider or a proxy signs in, and no password does; "": none does

	// Queues are names, or beginnings of names with * at their end, of the queues that a viewer or an operator sees; nil: all. An admin sees
	// all, whatever stands here.
	Queues []string
}

// External says whether an OpenID provider or a proxy signs the user in.
func (u User) External() bool { return u.Identity != "" }

// Limited says whether the user sees some queues only.
func (u User) Limited() bool {
	return u.Role != RoleAdmin && u.Queues != nil && !slices.Contains(u.Queues, "*")
}

// Sees says whether the user may know of a queue.
func (u User) Sees(queue string) bool { return !u.Limited() || fits(u.Queues, queue) }

// May says whether the user may do something.
func (u User) May(p Permission) bool { return u.DisabledAt == nil && u.Role.May(p) }

// Limits of a user.
const (
	maxEmail = 254 // RFC 5321, 4.5.3.1.3
	maxName  = 100 // bytes
)

// cleanEmail returns an e-mail address without what stands around it, or refuses it.
func cleanEmail(email string) (string, error) {
	email = strings.TrimSpace(email)
	a, err := mail.ParseAddress(email)
	if err != nil || a.Address != email || len(email) > maxEmail {
		return "", errs.Field("email", "an e-mail address like ann@example.org is wanted, of up to %d bytes", maxEmail)
	}
	return email, nil
}

// known returns an e-mail address that may be that of a user; "" for a text that cannot.
func known(email string) string {
	email = strings.TrimSpace(email)
	if len(email) > maxEmail || !plain(email) {
		return ""
	}
	return email
}

// plain says whether a text can be kept and printed: it is UTF-8, and holds no NUL, line or command of a terminal.
func plain(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

func checkUser(name string, role Role) error {
	if len(name) > maxName || !plain(name) {
		return errs.Field("name", "the name has %d bytes; %d bytes of text in one line are allowed", len(name), maxName)
	}
	if !slices.Contains(Roles, role) {
		return errs.Field("role", "%.40q is no role; there are viewer, operator and admin", role)
	}
	return nil
}
