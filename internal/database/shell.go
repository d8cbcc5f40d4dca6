package database

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
)

// pair is one of an address that is written as name=value pairs.
var pair = regexp.MustCompile(`(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)`)

// WithoutPassword takes the password off an address, for what everybody on the machine can see. It returns both. Its error is
// Invalid, and does not repeat the address.
func WithoutPassword(address string) (bare, password string, err error) {
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		return "", "", unreadable()
	}
	if !strings.HasPrefix(address, "postgres://") && !strings.HasPrefix(address, "postgresql://") {
		var kept []string
		for _, m := range pair.FindAllStringSubmatch(address, -1) {
			if m[1] != "password" {
				kept = append(kept, m[0])
			}
		}
		return strings.Join(kept, " "), cfg.Password, nil
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", "", unreadable()
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	query := u.Query()
	query.Del("password")
	u.RawQuery = query.Encode()
	return u.String(), cfg.Password, nil
}
