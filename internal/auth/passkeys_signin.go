package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

var (
	errPasskey   = errs.New(errs.Unauthenticated, "this passkey does not sign anybody in here; use another one, or your password")
	errChallenge = errs.New(errs.Unauthenticated, "the sign-in took too long, or was used before; begin again")
	errPasskeys  = errs.New(errs.Throttled, "there were too many sign-ins from your address; wait a minute and try again")
)

// BeginPasskeySignIn begins a sign-in by a passkey, of anybody. It returns what the browser is told, and a text for its cookie alone.
// address is where the call comes from. Errors: Throttled.
func (s *Users) BeginPasskeySignIn(ctx context.Context, site PasskeySite, address string) (options []byte, text string, err error) {
	if !s.AllowAddress(address) {
		return nil, "", errPasskeys
	}
	c, err := site.ceremony()
	if err != nil {
		return nil, "", err
	}
	told, data, err := c.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, "", err
	}
	if options, err = json.Marshal(told.Response); err != nil {
		return nil, "", err
	}
	text = secret()
	_, err = s.db.Exec(ctx, `
		with old as (delete from fetchq.passkey_sign_ins where expires_at <= clock_timestamp())
		insert into fetchq.passkey_sign_ins (hash, data, expires_at) values ($1, $2, clock_timestamp() + $3::interval)`, hash(text), data, PasskeyWaits)
	return options, text, database.Error("begin a sign-in", err)
}

// FinishPasskeySignIn returns the user of a passkey by what the device answers; text is from BeginPasskeySignIn, and good once, whatever
// comes of it. No code is asked for: the device has made sure who uses it. Errors: Unauthenticated, Throttled.
func (s *Users) FinishPasskeySignIn(ctx context.Context, site PasskeySite, text, answer, address string) (user User, err error) {
	if !s.AllowAddress(address) {
		return User{}, errPasskeys
	}
	if len(text) != passkeyCookie || len(answer) > maxAnswer {
		return User{}, errChallenge
	}
	var data webauthn.SessionData
	err = s.db.QueryRow(ctx, `delete from fetchq.passkey_sign_ins where hash = $1 and expires_at > clock_timestamp() returning data`, hash(text)).Scan(&data)
	if errors.Is(err, pgx.ErrNoRows) {
		return User{}, errChallenge
	}
	if err != nil {
		return User{}, database.Error("sign in", err)
	}
	said, err := protocol.ParseCredentialRequestResponseBytes([]byte(answer))
	if err != nil {
		return User{}, refusedPasskey(err)
	}
	c, err := site.ceremony()
	if err != nil {
		return User{}, err
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		var failed error // of the database: the library would take it for an unknown passkey
		_, key, err := c.ValidatePasskeyLogin(func(id, handle []byte) (webauthn.User, error) {
			var who holder
			who, failed = holderBy(ctx, tx, id, handle)
			return who, failed
		}, data, said)
		if failed != nil {
			return failed
		}
		if err == nil && key.Authenticator.CloneWarning {
			err = errors.New("its counter went back: there are two of it")
		}
		if err != nil {
			return refusedPasskey(err)
		}
		if _, err := tx.Exec(ctx, `update fetchq.passkeys set credential = $2, used_at = clock_timestamp() where id = $1`, key.ID, key); err != nil {
			return err
		}
		user, err = one(collect(ctx, tx, "sign in", `update fetchq.users set last_login_at = clock_timestamp()
			where id = (select user_id from fetchq.passkeys where id = $1) and disabled_at is null returning `+userColumns, key.ID))
		if errs.Of(err) == errs.NotFound {
			return errPasskey
		}
		return err
	})
	return user, database.Error("sign in", err)
}

// holderBy is whose passkey it is. Its row is locked: of two answers by one passkey at once the second sees the counter of the first.
func holderBy(ctx context.Context, tx pgx.Tx, id, handle []byte) (holder, error) {
	var user uuid.UUID
	err := tx.QueryRow(ctx, `select p.user_id from fetchq.passkeys p join fetchq.users u on u.id = p.user_id
		where p.id = $1 and u.disabled_at is null for update of p`, id).Scan(&user)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && !bytes.Equal(user[:], handle) {
		return holder{}, errPasskey
	}
	if err != nil {
		return holder{}, err
	}
	of, err := one(collect(ctx, tx, "sign in", `select `+userColumns+` from fetchq.users where id = $1`, user))
	if err != nil {
		return holder{}, err
	}
	return holderOf(ctx, tx, of)
}

// refusedPasskey keeps why, for the log.
func refusedPasskey(why error) error {
	var e *protocol.Error
	if errors.As(why, &e) {
		why = errors.New(e.Details + ": " + e.DevInfo) //nolint:err113 // of the library, in its words
	}
	return &errs.Error{Code: errs.Unauthenticated, Message: errPasskey.Message, Err: why}
}
