package auth

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

var (
	errGuessed = errs.New(errs.Throttled, "there were too many wrong passwords; wait a minute and try again")
	errWrong   = errs.New(errs.Unauthenticated, "the e-mail address or the password is wrong")
)

// SignIn returns the user of an e-mail address and a password. address is where the call comes from.
//
// Who guesses is slowed down before a password is hashed: by address, and by account, where an address from which the
// user has a session counts apart, so that nobody is locked out by what others do. A try is counted before its hash is made,
// for many at once would else all be let through. The answer, and the time it takes, are the same for an unknown user, one
// without a password, and a wrong password. A hash that was made at other costs than today's is made anew, now that the password
// is known; until then a wrong password takes this user as long as it took then. Errors: Unauthenticated, Throttled, Overloaded,
// and a SecondStep.
func (s *Users) SignIn(ctx context.Context, email, password, address string) (User, error) {
	email = known(email)
	rows, err := s.db.Query(ctx, `
		select `+userColumns+`, coalesce(password, ''),
			exists (select from fetchq.sessions where user_id = u.id and sessions.address = $2)
		from fetchq.users u where lower(email) = lower($1) and disabled_at is null`, email, address)
	if err != nil {
		return User{}, database.Error("sign in", err)
	}
	var phc string
	var at bool
	user, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (u User, err error) {
		err = row.Scan(&u.ID, &u.Email, &u.Name, &u.Role, &u.HasPassword, &u.CreatedAt, &u.DisabledAt, &u.LastLoginAt, &u.SecondFactor, &u.Identity, &u.Queues, &phc, &at)
		return u, err
	})
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return User{}, database.Error("sign in", err)
	}
	account := strings.ToLower(email)
	if at {
		account += " " + address
	}
	if !s.addresses.Allow(neighbourhood(address)) || !s.accounts.Allow(account) {
		return User{}, errGuessed
	}
	fits, err := s.hasher.fits(ctx, password, phc)
	if err != nil {
		return User{}, database.Error("compare a password", err)
	}
	if !fits {
		return User{}, errWrong
	}
	s.accounts.Forget(account)
	fresh := phc
	if outdated(phc) {
		if made, err := s.hasher.make(ctx, password); err == nil { // where too many wait, the next time
			fresh = made
		}
	}
	// A hash may wait in line: the password may have been changed, or the user disabled, since it was read.
	var step *SecondStep
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		user, err = one(collect(ctx, tx, "sign in", `update fetchq.users set last_login_at = `+signedAt+`, password = $3
			where id = $1 and password = $2 and disabled_at is null returning `+userColumns, user.ID, phc, fresh))
		if err != nil {
			return err
		}
		step, err = halfway(ctx, tx, user, fresh)
		return err
	})
	switch {
	case errs.Of(err) == errs.NotFound && outdated(phc):
		return s.SignIn(ctx, email, password, address) // somebody who signed in at the same moment had the hash made anew
	case errs.Of(err) == errs.NotFound:
		return User{}, errWrong
	case err != nil:
		return User{}, database.Error("sign in", err)
	case step != nil:
		return User{}, step
	}
	return user, nil
}

// AllowAddress says whether an address may try once more to come in: a try by a provider counts as one by a password.
func (s *Users) AllowAddress(address string) bool { return s.addresses.Allow(neighbourhood(address)) }

// ChangePassword gives a user another password, who knows the present one, and ends all sessions but that which asks, and
// all links. Errors: Invalid (password, current), Throttled, Overloaded.
func (s *Users) ChangePassword(ctx context.Context, user User, current, password string, session uuid.UUID) error {
	if err := CheckPassword(password, user.Email); err != nil {
		return err
	}
	was, err := s.present(ctx, user, current)
	if err != nil {
		return err
	}
	phc, err := s.hasher.make(ctx, password)
	if err != nil {
		return database.Error("hash a password", err)
	}
	var changed bool
	err = s.db.QueryRow(ctx, `
		with changed as (
			update fetchq.users set password = $2 where id = $1 and password = $4 and disabled_at is null returning id
		), ended as (
			delete from fetchq.sessions where user_id = (select id from changed) and id <> $3
		), closed as (
			delete from fetchq.links where user_id = (select id from changed)
		)
		select exists (select from changed)`, user.ID, phc, session, was).Scan(&changed)
	if err == nil && !changed {
		return errs.Field("current", "the password was changed in this moment by somebody else")
	}
	return database.Error("change a password", err)
}

// present checks the present password of a user who is signed in, and returns its hash. Errors: Invalid (current), Throttled,
// Overloaded.
func (s *Users) present(ctx context.Context, user User, current string) (phc string, err error) {
	if !s.accounts.Allow(user.ID.String()) {
		return "", errGuessed
	}
	if err := s.db.QueryRow(ctx, `select coalesce(password, '') from fetchq.users where id = $1`, user.ID).Scan(&phc); err != nil {
		return "", database.Error("read a password", err)
	}
	fits, err := s.hasher.fits(ctx, current, phc)
	if err != nil {
		return "", database.Error("compare a password", err)
	}
	if !fits {
		return "", errs.Field("current", "this is not the present password")
	}
	s.accounts.Forget(user.ID.String())
	return phc, nil
}
