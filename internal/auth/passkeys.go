package auth

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

// Limits of passkeys.
const (
	maxPasskeys   = 20              // of one person
	PasskeyWaits  = 5 * time.Minute // for the person and the device
	maxAnswer     = 32 << 10        // bytes of what a device answers
	passkeyCookie = 43              // characters of the text of a sign-in
)

// PasskeySite is for which site passkeys are: a browser shows those of another to nobody.
type PasskeySite struct {
	Host   string // a name, no address
	Origin string // as in https://queue.example.org
}

// Passkey is what a list tells of one.
type Passkey struct {
	ID        []byte
	Name      string
	CreatedAt time.Time
	UsedAt    *time.Time
}

// ceremony is the library, set for a site. The device has to make sure who uses it, by a PIN, a finger or a face: so a passkey counts
// as both factors. It has to keep the key with the user's number, so that nobody types an address.
func (p PasskeySite) ceremony() (*webauthn.WebAuthn, error) {
	yes := true
	waits := webauthn.TimeoutConfig{Enforce: true, Timeout: PasskeyWaits, TimeoutUVD: PasskeyWaits}
	return webauthn.New(&webauthn.Config{
		RPID: p.Host, RPDisplayName: "Fetchq", RPOrigins: []string{p.Origin}, AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: &yes, UserVerification: protocol.VerificationRequired,
		},
		Timeouts: webauthn.TimeoutsConfig{Login: waits, Registration: waits},
	})
}

// holder is a user with passkeys, as the library wants one.
type holder struct {
	User
	keys []webauthn.Credential
}

// WebAuthnID is the number by which the device knows the user.
func (h holder) WebAuthnID() []byte { return h.ID[:] }

// WebAuthnName is what the device shows.
func (h holder) WebAuthnName() string { return h.Email }

// WebAuthnDisplayName is too.
func (h holder) WebAuthnDisplayName() string {
	if h.Name != "" {
		return h.Name
	}
	return h.Email
}

// WebAuthnCredentials are the user's passkeys.
func (h holder) WebAuthnCredentials() []webauthn.Credential { return h.keys }

// holderOf reads the passkeys of a user.
func holderOf(ctx context.Context, db querier, user User) (holder, error) {
	rows, err := db.Query(ctx, `select credential from fetchq.passkeys where user_id = $1 order by created_at, id`, user.ID)
	if err != nil {
		return holder{}, err
	}
	keys, err := pgx.CollectRows(rows, pgx.RowTo[webauthn.Credential])
	return holder{user, keys}, err
}

// Passkeys returns the passkeys of a user, the oldest first.
func (s *Users) Passkeys(ctx context.Context, id uuid.UUID) ([]Passkey, error) {
	rows, err := s.db.Query(ctx, `select id, name, created_at, used_at from fetchq.passkeys where user_id = $1 order by created_at, id`, id)
	if err != nil {
		return nil, database.Error("list passkeys", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Passkey])
	return list, database.Error("list passkeys", err)
}

// enrolling is what a session keeps while a device makes a passkey.
type enrolling struct {
	Name string               `json:"name"`
	Data webauthn.SessionData `json:"data"`
}

// BeginPasskey begins to make a passkey, for a user who knows the present password. It returns what the browser is told, and what the
// session keeps for FinishPasskey. Errors: Invalid (name, current), Throttled, Overloaded.
func (s *Users) BeginPasskey(ctx context.Context, site PasskeySite, user User, current, name string) (options []byte, kept string, err error) {
	if name, err = passkeyName(name); err != nil {
		return nil, "", err
	}
	if _, err := s.present(ctx, user, current); err != nil {
		return nil, "", err
	}
	who, err := holderOf(ctx, s.db, user)
	if err != nil {
		return nil, "", database.Error("read passkeys", err)
	}
	if len(who.keys) >= maxPasskeys {
		return nil, "", errs.Field("name", "you have %d passkeys, and no more are kept; remove one first", len(who.keys))
	}
	c, err := site.ceremony()
	if err != nil {
		return nil, "", err
	}
	told, data, err := c.BeginRegistration(who, webauthn.WithExclusions(webauthn.Credentials(who.keys).CredentialDescriptors()))
	if err != nil {
		return nil, "", err
	}
	if options, err = json.Marshal(told.Response); err != nil {
		return nil, "", err
	}
	text, err := json.Marshal(enrolling{name, *data})
	return options, string(text), err
}

func passkeyName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > maxName || !plain(name) {
		return "", errs.Field("name", "a name of up to %d bytes in one line is wanted", maxName)
	}
	return name, nil
}

var errPasskeyMade = errs.Field("name", "the passkey was not made: the device answered something else than was asked, or it took too long; begin again")

// FinishPasskey keeps the passkey that a device has made; kept is from BeginPasskey, and good once. Errors: Invalid.
func (s *Users) FinishPasskey(ctx context.Context, site PasskeySite, user User, kept, answer string) error {
	var of enrolling
	if json.Unmarshal([]byte(kept), &of) != nil || len(answer) > maxAnswer {
		return errPasskeyMade
	}
	c, err := site.ceremony()
	if err != nil {
		return err
	}
	said, err := protocol.ParseCredentialCreationResponseBytes([]byte(answer))
	if err != nil {
		return &errs.Error{Code: errs.Invalid, Field: "name", Message: errPasskeyMade.Message, Err: err}
	}
	key, err := c.CreateCredential(holder{User: user}, of.Data, said)
	if err != nil {
		return &errs.Error{Code: errs.Invalid, Field: "name", Message: errPasskeyMade.Message, Err: err}
	}
	// Made by who had a password, and no more than so many, however many begin at once.
	done, err := s.db.Exec(ctx, `insert into fetchq.passkeys (id, user_id, name, credential)
		select $1, id, $3, $4 from fetchq.users where id = $2 and password is not null and disabled_at is null
			and (select count(*) from fetchq.passkeys where user_id = $2) < $5
		on conflict (id) do nothing`, key.ID, user.ID, of.Name, key, maxPasskeys)
	if err == nil && done.RowsAffected() == 0 {
		return errPasskeyMade
	}
	return database.Error("keep a passkey", err)
}

var errNoPasskey = &errs.Error{Code: errs.NotFound, Field: "passkey", Message: "there is no such passkey"}

// RenamePasskey gives a passkey of a user another name. Errors: NotFound, Invalid (name).
func (s *Users) RenamePasskey(ctx context.Context, user uuid.UUID, id []byte, name string) error {
	name, err := passkeyName(name)
	if err != nil {
		return err
	}
	done, err := s.db.Exec(ctx, `update fetchq.passkeys set name = $3 where user_id = $1 and id = $2`, user, id, name)
	if err == nil && done.RowsAffected() == 0 {
		return errNoPasskey
	}
	return database.Error("rename a passkey", err)
}

// RemovePasskey removes a passkey of a user. Errors: NotFound.
func (s *Users) RemovePasskey(ctx context.Context, user uuid.UUID, id []byte) error {
	done, err := s.db.Exec(ctx, `delete from fetchq.passkeys where user_id = $1 and id = $2`, user, id)
	if err == nil && done.RowsAffected() == 0 {
		return errNoPasskey
	}
	return database.Error("remove a passkey", err)
}
