package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/seal"
)

// enrolLasts is how long a second factor may take to be set up.
const enrolLasts = 10 * time.Minute

// Second is what a person is told of the own second factor.
type Second struct {
	Since *time.Time // nil: there is none
	Left  int        // recovery codes that were not used
}

// UseKey seals the secrets of second factors under the key of the installation, a random text of seal.MinKey characters at least;
// without one nobody can set a second factor up. It is called before anything else.
func (s *Users) UseKey(text string) (err error) {
	s.sealer, err = seal.New(text, seal.SecondFactors)
	return err
}

var errKey = errs.New(errs.Unavailable, "this server cannot check codes: it has no key, or another one than that under which your secret was kept "+
	"(FETCHQ_SECRET_KEY); a recovery code works, or ask an admin")

// open returns the secret of a user that is sealed. Errors: Unavailable (without a key, or with another one).
func (s *Users) open(sealed []byte, of uuid.UUID) ([]byte, error) {
	text, err := s.sealer.Open(sealed, of[:])
	if err != nil {
		return nil, errKey
	}
	return text, nil
}

// CanEnrol says whether second factors can be set up here.
func (s *Users) CanEnrol() bool { return s.sealer != nil }

// Second returns how it stands with the second factor of a user.
func (s *Users) Second(ctx context.Context, id uuid.UUID) (second Second, err error) {
	err = s.db.QueryRow(ctx, `select confirmed_at, (select count(*) from fetchq.recovery_codes where user_id = $1 and used_at is null)
		from fetchq.second_factors where user_id = $1 and confirmed_at is not null`, id).Scan(&second.Since, &second.Left)
	if errors.Is(err, pgx.ErrNoRows) {
		return Second{}, nil
	}
	return second, database.Error("read a second factor", err)
}

// Enrol begins to set up a second factor, for a user who knows the present password. Errors: Invalid (current), Exists,
// Throttled, Overloaded, Unavailable (there is no key).
func (s *Users) Enrol(ctx context.Context, user User, current string) error {
	if !s.CanEnrol() {
		return errKey
	}
	if _, err := s.present(ctx, user, current); err != nil {
		return err
	}
	shared := make([]byte, secretBytes)
	_, _ = rand.Read(shared) // never fails
	done, err := s.db.Exec(ctx, `insert into fetchq.second_factors (user_id, secret) values ($1, $2)
		on conflict (user_id) do update set secret = excluded.secret, created_at = clock_timestamp() where second_factors.confirmed_at is null`,
		user.ID, s.sealer.Seal(shared, user.ID[:]))
	if err == nil && done.RowsAffected() == 0 {
		return errs.New(errs.Exists, "you have a second factor already; remove it first")
	}
	return database.Error("begin a second factor", err)
}

// Enrolling returns the second factor that a user sets up at present; issuer is what the app calls this site. Errors: NotFound
// (there is none, or it took too long), Unavailable.
func (s *Users) Enrolling(ctx context.Context, user User, issuer string) (Enrolment, error) {
	var sealed []byte
	err := s.db.QueryRow(ctx, `select secret from fetchq.second_factors where user_id = $1 and confirmed_at is null
		and created_at > clock_timestamp() - $2::interval`, user.ID, enrolLasts).Scan(&sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return Enrolment{}, errNotEnrolling
	}
	if err != nil {
		return Enrolment{}, database.Error("read a second factor", err)
	}
	shared, err := s.open(sealed, user.ID)
	if err != nil {
		return Enrolment{}, err
	}
	return enrolment(issuer, user.Email, shared)
}

var errNotEnrolling = errs.New(errs.NotFound, "nothing is being set up, or it took too long; begin again")

// Confirm ends the setting up by a code of the app: from now on a sign-in takes one. It ends all sessions but that which asks, and
// returns the recovery codes, which are shown once. Errors: NotFound, Invalid (code), Throttled, Unavailable.
func (s *Users) Confirm(ctx context.Context, user User, code string, session uuid.UUID) (codes []string, err error) {
	if !s.codes.Allow("confirm " + user.ID.String()) {
		return nil, errCodes
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		var sealed []byte
		var now int64
		err := tx.QueryRow(ctx, `select secret, extract(epoch from clock_timestamp())::bigint from fetchq.second_factors
			where user_id = $1 and confirmed_at is null and created_at > clock_timestamp() - $2::interval for update`, user.ID, enrolLasts).Scan(&sealed, &now)
		if errors.Is(err, pgx.ErrNoRows) {
			return errNotEnrolling
		}
		if err != nil {
			return err
		}
		shared, err := s.open(sealed, user.ID)
		if err != nil {
			return err
		}
		step, err := stepOf(bare(code), shared, now)
		if err != nil {
			return err
		}
		if err := takeStep(ctx, tx, user.ID, step); err != nil {
			return err // 0 is before all: a wrong code
		}
		if _, err := tx.Exec(ctx, `update fetchq.second_factors set confirmed_at = clock_timestamp() where user_id = $1`, user.ID); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from fetchq.sessions where user_id = $1 and id <> $2`, user.ID, session); err != nil {
			return err
		}
		codes, err = newRecovery(ctx, tx, user.ID)
		return err
	})
	if err == nil {
		s.codes.Forget("confirm " + user.ID.String())
	}
	return codes, database.Error("confirm a second factor", err)
}

// NewRecovery replaces the recovery codes of a user who knows the present password. Errors: Invalid (current), NotFound, Throttled,
// Overloaded.
func (s *Users) NewRecovery(ctx context.Context, user User, current string) (codes []string, err error) {
	if _, err := s.present(ctx, user, current); err != nil {
		return nil, err
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		var id uuid.UUID
		err := tx.QueryRow(ctx, `select user_id from fetchq.second_factors where user_id = $1 and confirmed_at is not null for update`, user.ID).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return errNoSecond
		}
		if err != nil {
			return err
		}
		codes, err = newRecovery(ctx, tx, user.ID)
		return err
	})
	return codes, database.Error("make recovery codes", err)
}

var errNoSecond = errs.New(errs.NotFound, "there is no second factor")

// DropSecond removes the second factor of a user who knows the present password. Errors: Invalid (current), Throttled, Overloaded.
func (s *Users) DropSecond(ctx context.Context, user User, current string) error {
	if _, err := s.present(ctx, user, current); err != nil {
		return err
	}
	_, err := s.db.Exec(ctx, `delete from fetchq.second_factors where user_id = $1`, user.ID)
	return database.Error("remove a second factor", err)
}

// ResetSecond removes the second factor of somebody who has lost it, with the passkeys, and ends the sessions of this user, for what
// showed the codes may be in other hands. Errors: NotFound.
func (s *Users) ResetSecond(ctx context.Context, id uuid.UUID) error {
	done, err := s.db.Exec(ctx, `
		with dropped as (delete from fetchq.second_factors where user_id = $1 returning user_id),
			keys as (delete from fetchq.passkeys where user_id = (select user_id from dropped)),
			ended as (delete from fetchq.sessions where user_id = (select user_id from dropped))
		select from dropped`, id)
	if err == nil && done.RowsAffected() == 0 {
		return errNoSecond
	}
	return database.Error("remove a second factor", err)
}
