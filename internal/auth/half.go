package auth

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

// Limits of the second step.
const (
	HalfLasts = 5 * time.Minute // from the password on
	halfTries = 5               // codes for one password
)

// SecondStep is the error of a sign-in whose password, or link, was good, and which wants a code too. That it is an error keeps
// whoever forgets of it from letting somebody in.
type SecondStep struct {
	Text  string // what FinishSignIn is told, for the browser that asked alone
	Email string // whose sign-in it is
}

func (*SecondStep) Error() string { return "a code is wanted too" }

var (
	errCodes = errs.New(errs.Throttled, "there were too many wrong codes; wait a minute and try again")
	errHalf  = errs.New(errs.NotFound, "this sign-in took too long, or was tried too often; begin again")
)

// signedAt is what the last sign-in of a user is set to by a password: now, unless a code is wanted too.
const signedAt = `case when exists (select from fetchq.second_factors where user_id = id and confirmed_at is not null)
	then last_login_at else clock_timestamp() end`

// halfway says that a user who has shown a password, whose hash is phc, has to show a code; nil: is let in.
func halfway(ctx context.Context, tx pgx.Tx, user User, phc string) (*SecondStep, error) {
	if !user.SecondFactor {
		return nil, nil //nolint:nilnil // no step is no error
	}
	step := &SecondStep{secret(), user.Email}
	_, err := tx.Exec(ctx, `
		with old as (delete from fetchq.half_sign_ins where expires_at <= clock_timestamp())
		insert into fetchq.half_sign_ins (hash, user_id, proof, expires_at) values ($1, $2, $3, clock_timestamp() + $4::interval)`,
		hash(step.Text), user.ID, hash(phc), HalfLasts)
	return step, err
}

// HalfUser returns who is half signed in. Errors: NotFound (it is over).
func (s *Users) HalfUser(ctx context.Context, text string) (User, error) {
	user, err := one(collect(ctx, s.db, "look for a sign-in", `select `+userColumns+` from fetchq.users where disabled_at is null and id = (
		select user_id from fetchq.half_sign_ins where hash = $1 and expires_at > clock_timestamp() and tries < $2)`, hash(text), halfTries))
	if errs.Of(err) == errs.NotFound {
		return User{}, errHalf
	}
	return user, err
}

// FinishSignIn returns the user of a SecondStep by a code of the app, or a recovery code; either is taken once. A try is counted
// before the code is looked at. Who guesses has shown the password: counted are the tries of one password, in the database, and
// those of an account and an address, where an address from which the user has a session counts apart. Errors: NotFound (it is
// over), Invalid (code), Throttled, Unavailable (there is no key to check codes with).
func (s *Users) FinishSignIn(ctx context.Context, text, code, address string) (user User, err error) {
	if !s.addresses.Allow(neighbourhood(address)) {
		return User{}, errCodes
	}
	var id uuid.UUID
	var sealed []byte
	var now int64
	var at bool
	err = s.db.QueryRow(ctx, `
		update fetchq.half_sign_ins h set tries = tries + 1 from fetchq.users u join fetchq.second_factors f on f.user_id = u.id
		where h.hash = $1 and h.expires_at > clock_timestamp() and h.tries < $2 and u.id = h.user_id and u.disabled_at is null
			and sha256(convert_to(u.password, 'UTF8')) = h.proof and f.confirmed_at is not null
		returning u.id, f.secret, extract(epoch from clock_timestamp())::bigint,
			exists (select from fetchq.sessions s where s.user_id = u.id and s.address = $3)`, hash(text), halfTries, address).Scan(&id, &sealed, &now, &at)
	if errors.Is(err, pgx.ErrNoRows) {
		return User{}, errHalf
	}
	if err != nil {
		return User{}, database.Error("sign in", err)
	}
	account := id.String()
	if at {
		account += " " + address
	}
	if !s.codes.Allow(account) {
		return User{}, errCodes
	}
	code = bare(code)
	var step int64
	if isAppCode(code) {
		shared, err := s.open(sealed, id)
		if err != nil {
			return User{}, err
		}
		if step, err = stepOf(code, shared, now); err != nil {
			return User{}, err
		}
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if err := take(ctx, tx, id, code, step); err != nil {
			return err
		}
		done, err := tx.Exec(ctx, `delete from fetchq.half_sign_ins where hash = $1`, hash(text))
		if err == nil && done.RowsAffected() == 0 {
			return errHalf // somebody was let in by it, with another code
		}
		if err != nil {
			return err
		}
		user, err = one(collect(ctx, tx, "sign in", `update fetchq.users set last_login_at = clock_timestamp()
			where id = $1 and disabled_at is null returning `+userColumns, id))
		return err
	})
	if errs.Of(err) == errs.NotFound {
		return User{}, errHalf
	}
	if err != nil {
		return User{}, database.Error("sign in", err)
	}
	s.codes.Forget(account)
	return user, nil
}

// take takes the code of a step of the app, or a recovery code. Invalid: it is none, or was taken.
func take(ctx context.Context, tx pgx.Tx, user uuid.UUID, code string, step int64) error {
	if isAppCode(code) {
		return takeStep(ctx, tx, user, step)
	}
	done, err := tx.Exec(ctx, `update fetchq.recovery_codes set used_at = clock_timestamp() where user_id = $1 and hash = $2 and used_at is null`, user, hash(code))
	if err == nil && done.RowsAffected() == 0 {
		return errCode
	}
	return err
}
