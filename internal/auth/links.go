package auth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

// LinkLasts is how long a one-time link is good for.
const LinkLasts = 24 * time.Hour

// secret makes 32 random bytes in base64url: what stands in a cookie or a one-time link.
func secret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

var errLink = errs.New(errs.NotFound, "this link was used, has run out, or never was; ask for a new one")

// SetupLink returns the text of a one-time link by which the first admin is made; "" where there are users already. Each
// call makes another one; all are good for a day, and until the first admin is there.
func (s *Users) SetupLink(ctx context.Context) (string, error) {
	text := secret()
	done, err := s.db.Exec(ctx, `insert into fetchq.links (hash, kind, expires_at)
		select $1, 'setup', clock_timestamp() + $2 where not exists (select from fetchq.users)`, hash(text), LinkLasts)
	if err != nil || done.RowsAffected() == 0 {
		return "", database.Error("make the link of the first admin", err)
	}
	return text, nil
}

// CheckSetup says whether the text is that of a link for the first admin. Errors: NotFound.
func (s *Users) CheckSetup(ctx context.Context, text string) error {
	var good bool
	err := s.db.QueryRow(ctx, `select exists (select from fetchq.links where hash = $1 and kind = 'setup' and expires_at > clock_timestamp())
		and not exists (select from fetchq.users)`, hash(text)).Scan(&good)
	if err == nil && !good {
		return errLink
	}
	return database.Error("look for a link", err)
}

// Setup makes the first admin by a link. Errors: NotFound (the link is over), Invalid (email, name, password).
func (s *Users) Setup(ctx context.Context, text, email, name, password string) (User, error) {
	if err := s.CheckSetup(ctx, text); err != nil {
		return User{}, err
	}
	user, err := s.first(ctx, email, name, password)
	if err != nil {
		return User{}, err
	}
	_, err = s.db.Exec(ctx, `update fetchq.users set last_login_at = clock_timestamp() where id = $1`, user.ID) // who makes it is let in
	return user, database.Error("make the first admin", err)
}

// Bootstrap makes the first admin without a link, for settings that name one; it does nothing where there are users.
// Errors: Invalid (email, password).
func (s *Users) Bootstrap(ctx context.Context, email, password string) error {
	none, err := s.None(ctx)
	if err != nil || !none {
		return err
	}
	_, err = s.first(ctx, email, "", password)
	if errs.Of(err) == errs.NotFound {
		return nil // another node was faster
	}
	return err
}

// first makes the first admin, once, and ends all links for that. NotFound: there is one.
func (s *Users) first(ctx context.Context, email, name, password string) (user User, err error) {
	if err := CheckPassword(password, email); err != nil {
		return User{}, err
	}
	phc, err := s.hasher.make(ctx, password)
	if err != nil {
		return User{}, database.Error("hash a password", err)
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `lock table fetchq.users in share row exclusive mode`); err != nil {
			return err
		}
		var any bool
		if err := tx.QueryRow(ctx, `select exists (select from fetchq.users)`).Scan(&any); err != nil {
			return err
		}
		if any {
			return errLink
		}
		if user, err = create(ctx, tx, email, name, RoleAdmin, &phc); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `delete from fetchq.links where kind = 'setup'`)
		return err
	})
	return user, database.Error("make the first admin", err)
}

// Link returns the text of a one-time link by which a user chooses a password; links that the user had are over. Errors:
// NotFound, Invalid (the user is disabled).
func (s *Users) Link(ctx context.Context, id uuid.UUID) (string, error) {
	return s.link(ctx, id, false)
}

// ResetLink is Link for who has lost the second factor too: it goes when the link is used, and not before, so that the present
// password alone opens nothing meanwhile.
func (s *Users) ResetLink(ctx context.Context, id uuid.UUID) (string, error) {
	return s.link(ctx, id, true)
}

func (s *Users) link(ctx context.Context, id uuid.UUID, dropsSecond bool) (string, error) {
	text := secret()
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		// Two calls for one user go one after the other: the second has to see the link of the first, or both are good. Who uses
		// a link holds its row, and then wants the user's: to lock that here would make them wait for each other.
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended($1, 0))`, "link of "+id.String()); err != nil {
			return err
		}
		done, err := tx.Exec(ctx, `
			with closed as (delete from fetchq.links where user_id = $1 or expires_at <= clock_timestamp())
			insert into fetchq.links (hash, kind, user_id, expires_at, drops_second)
			select $2, 'password', id, clock_timestamp() + $3, $4 from fetchq.users where id = $1 and disabled_at is null`, id, hash(text), LinkLasts, dropsSecond)
		if err == nil && done.RowsAffected() == 0 {
			return &errs.Error{Code: errs.NotFound, Field: "user", Message: "there is no such user, or the user is disabled"}
		}
		return err
	})
	if err != nil {
		return "", database.Error("make a link", err)
	}
	return text, nil
}

// LinkUser returns the user who may choose a password by a link. Errors: NotFound (the link is over).
func (s *Users) LinkUser(ctx context.Context, text string) (User, error) {
	user, err := one(collect(ctx, s.db, "look for a link", `select `+userColumns+` from fetchq.users where disabled_at is null and id = (
		select user_id from fetchq.links where hash = $1 and kind = 'password' and expires_at > clock_timestamp())`, hash(text)))
	if errs.Of(err) == errs.NotFound {
		return User{}, errLink
	}
	return user, err
}

// UseLink gives the user of a link a password, once, and ends the user's sessions; whom a provider or a proxy signed in signs in by the
// password from then on. Errors: NotFound (the link is over),
// Invalid (password), and a SecondStep: a link stands for the password only.
func (s *Users) UseLink(ctx context.Context, text, password string) (User, error) {
	user, err := s.LinkUser(ctx, text)
	if err != nil {
		return User{}, err // before a hash is made
	}
	if err := CheckPassword(password, user.Email); err != nil {
		return User{}, err
	}
	phc, err := s.hasher.make(ctx, password)
	if err != nil {
		return User{}, database.Error("hash a password", err)
	}
	var step *SecondStep
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		var drops bool
		err := tx.QueryRow(ctx, `delete from fetchq.links where hash = $1 and kind = 'password' and expires_at > clock_timestamp()
			returning user_id, drops_second`, hash(text)).Scan(&user.ID, &drops)
		if errors.Is(err, pgx.ErrNoRows) {
			return errLink
		}
		if err != nil {
			return err
		}
		for _, sql := range []string{`delete from fetchq.second_factors where user_id = $1 and $2`, `delete from fetchq.passkeys where user_id = $1 and $2`} {
			if _, err := tx.Exec(ctx, sql, user.ID, drops); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `delete from fetchq.sessions where user_id = $1`, user.ID); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from fetchq.identities where user_id = $1`, user.ID); err != nil { // one door only
			return err
		}
		user, err = one(collect(ctx, tx, "use a link", `update fetchq.users set password = $2, last_login_at = `+signedAt+`
			where id = $1 and disabled_at is null returning `+userColumns, user.ID, phc))
		if err != nil {
			return err
		}
		step, err = halfway(ctx, tx, user, phc)
		return err
	})
	switch {
	case errs.Of(err) == errs.NotFound:
		return User{}, errLink
	case err != nil:
		return User{}, database.Error("use a link", err)
	case step != nil:
		return User{}, step
	}
	return user, nil
}
