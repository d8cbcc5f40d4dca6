package auth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

// Proxy is the issuer of people whom the proxy before the program identifies.
const Proxy = "proxy"

// Person is somebody whom an OpenID provider, or the proxy before the program, vouches for.
type Person struct {
	Issuer  string // the provider's address, or Proxy
	Subject string // who it is there, for good
	Email   string // which the issuer has verified
	Name    string // may be empty
	Groups  []string
}

// Everybody is the group of all whom the issuer lets in.
const Everybody = "*"

// Entrance is what the settings say of people whom somebody else identifies.
type Entrance struct {
	Roles   map[string]Role // by group
	SignUp  bool            // who has no account gets one
	Domains []string        // of e-mail addresses; none: all
}

// Role is the highest that the groups of a person give; "": none does.
func (e Entrance) Role(p Person) (role Role) {
	for _, group := range append(slices.Clone(p.Groups), Everybody) {
		if r, ok := e.Roles[group]; ok && slices.Index(Roles, r) > slices.Index(Roles, role) {
			role = r
		}
	}
	return role
}

// maxSubject is how many bytes a subject may have (OpenID Connect Core, 2, wants 255 of them at most).
const maxSubject = 255

// check refuses a person whom the settings do not let in, whatever accounts there are, and returns the role of another.
func (e Entrance) check(p *Person) (Role, error) {
	email, err := cleanEmail(p.Email)
	if err != nil || p.Subject == "" || len(p.Subject) > maxSubject || !plain(p.Subject) {
		return "", &errs.Error{Code: errs.Forbidden, Message: "whoever vouches for you does not say who you are in a way that can be kept", Err: err}
	}
	p.Email = email
	if p.Name = strings.TrimSpace(p.Name); !plain(p.Name) {
		p.Name = ""
	}
	for len(p.Name) > maxName {
		_, size := utf8.DecodeLastRuneInString(p.Name)
		p.Name = p.Name[:len(p.Name)-size]
	}
	_, domain, _ := strings.Cut(strings.ToLower(p.Email), "@") // RFC 5321: the domain in any case of its letters
	if len(e.Domains) > 0 && !slices.ContainsFunc(e.Domains, func(d string) bool { return strings.EqualFold(d, domain) }) {
		return "", errs.New(errs.Forbidden, "people of %s may not come in here", domain)
	}
	role := e.Role(*p)
	if role == "" {
		return "", errs.New(errs.Forbidden, "none of your groups may come in here; ask an admin of this site which one that is")
	}
	return role, nil
}

var (
	errOwnDoor   = errs.New(errs.Forbidden, "there is an account of your e-mail address, and it has a password: sign in with that, and connect the account in Your account")
	errDisabled  = errs.New(errs.Forbidden, "your account is disabled; ask an admin of this site")
	errNoAccount = errs.New(errs.Forbidden, "there is no account of yours here; ask an admin of this site to add you")
)

// Admit returns the user of a person for whom somebody vouches, with the role that the groups give now. A person is known by issuer and
// subject, never by the e-mail address: that only leads to the account that an admin made for somebody who has not come yet, and
// never to one with a password. Who may not come in any more has the open sessions and links ended. Errors: Forbidden, Throttled.
func (s *Users) Admit(ctx context.Context, e Entrance, p Person) (user User, err error) {
	role, refused := e.check(&p)
	if refused != nil {
		return User{}, s.shut(ctx, p, refused)
	}
	audit.From(ctx).To(p.Email)
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		// Two sign-ins of one person, or two persons of one address, take turns.
		if _, err := tx.Exec(ctx, `lock table fetchq.users in share row exclusive mode`); err != nil {
			return err
		}
		user, err = one(collect(ctx, tx, "sign in", `select `+userColumns+` from fetchq.users where id = (
			select user_id from fetchq.identities where issuer = $1 and subject = $2)`, p.Issuer, p.Subject))
		if errs.Of(err) == errs.NotFound {
			user, err = s.welcome(ctx, tx, e, p, role)
		}
		if err != nil {
			return err
		}
		audit.From(ctx).To(user.Email)
		if user.DisabledAt != nil {
			return errDisabled
		}
		user, err = giveRole(ctx, tx, user, role)
		return err
	})
	return user, database.Error("sign in", err)
}

// giveRole gives a user the role that groups give. A higher one ends open sessions, as SetRole does.
func giveRole(ctx context.Context, tx pgx.Tx, was User, role Role) (User, error) {
	user, err := one(collect(ctx, tx, "sign in", `update fetchq.users set role = $2, last_login_at = clock_timestamp() where id = $1 returning `+userColumns, was.ID, role))
	if err != nil || was.Role == role {
		return user, err
	}
	if slices.Index(Roles, role) > slices.Index(Roles, was.Role) {
		if _, err := tx.Exec(ctx, `delete from fetchq.sessions where user_id = $1`, was.ID); err != nil {
			return User{}, err
		}
	}
	return user, audit.Write(ctx, tx, audit.Entry{Action: audit.UserRole, Target: user.Email, Details: map[string]any{"is": role, "by": "groups"}})
}

// welcome binds a person who has not been here to the account that waits for the address, or to a new one.
func (s *Users) welcome(ctx context.Context, tx pgx.Tx, e Entrance, p Person, role Role) (User, error) {
	var user User
	var waits bool
	err := tx.QueryRow(ctx, `select id, password is null and last_login_at is null and not exists (select from fetchq.identities where user_id = id)
		from fetchq.users where lower(email) = lower($1)`, p.Email).Scan(&user.ID, &waits)
	switch {
	case errors.Is(err, pgx.ErrNoRows) && !e.SignUp:
		return User{}, errNoAccount
	case errors.Is(err, pgx.ErrNoRows):
		if user, err = s.newcomer(ctx, tx, p, role); err != nil {
			return User{}, err
		}
	case err != nil:
		return User{}, err
	case !waits:
		return User{}, errOwnDoor
	}
	if err := bind(ctx, tx, p, user.ID); err != nil {
		return User{}, err
	}
	return one(collect(ctx, tx, "sign in", `select `+userColumns+` from fetchq.users where id = $1`, user.ID))
}

// newcomer makes an account. The first of all is an admin's: nobody else may close the setup link.
func (s *Users) newcomer(ctx context.Context, tx pgx.Tx, p Person, role Role) (User, error) {
	var any bool
	if err := tx.QueryRow(ctx, `select exists (select from fetchq.users)`).Scan(&any); err != nil {
		return User{}, err
	}
	if !any && role != RoleAdmin {
		return User{}, errs.New(errs.Forbidden, "nobody has an account here yet, and an admin has to come first")
	}
	return create(ctx, tx, p.Email, p.Name, role, nil)
}

// bind says that a user is a person, who signs in by the issuer alone from now on: what else opens the account is over.
func bind(ctx context.Context, tx pgx.Tx, p Person, user uuid.UUID) error {
	for _, sql := range []string{
		`update fetchq.users set password = null where id = $1`,
		`delete from fetchq.second_factors where user_id = $1`,
		`delete from fetchq.passkeys where user_id = $1`,
		`delete from fetchq.half_sign_ins where user_id = $1`,
		`delete from fetchq.links where user_id = $1`,
		`delete from fetchq.identities where user_id = $1`,
	} {
		if _, err := tx.Exec(ctx, sql, user); err != nil {
			return err
		}
	}
	done, err := tx.Exec(ctx, `insert into fetchq.identities (issuer, subject, user_id) values ($1, $2, $3) on conflict (issuer, subject) do nothing`, p.Issuer, p.Subject, user)
	if err == nil && done.RowsAffected() == 0 {
		return errs.New(errs.Forbidden, "you have an account here already, and it is another one")
	}
	return err
}

// shut ends what a person has open who may not come in any more, and returns why.
func (s *Users) shut(ctx context.Context, p Person, why error) error {
	var email string
	err := s.db.QueryRow(ctx, `
		with who as (select user_id from fetchq.identities where issuer = $1 and subject = $2),
			ended as (delete from fetchq.sessions where user_id in (select user_id from who)),
			over as (delete from fetchq.links where user_id in (select user_id from who))
		select email from fetchq.users where id in (select user_id from who)`, storable(p.Issuer), storable(p.Subject)).Scan(&email)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return database.Error("end sessions", err)
	}
	if email == "" {
		email, _ = cleanEmail(p.Email) // "" where it is none: the audit log then names nobody
	}
	audit.From(ctx).To(email)
	return why
}

// storable is a text that Postgres can be asked for; "" for one that nothing there is like.
func storable(text string) string {
	if !plain(text) {
		return ""
	}
	return text
}

// CheckPresent wants the present password of a user who is signed in. Errors: Invalid (current), Throttled, Overloaded.
func (s *Users) CheckPresent(ctx context.Context, user User, current string) error {
	_, err := s.present(ctx, user, current)
	return err
}

// Connect binds an account that has a password to a person for whom somebody vouches, and ends its sessions: it signs in by the issuer
// alone from then on. Whoever calls it has asked for the present password. Errors: Forbidden, Invalid (the last admin).
func (s *Users) Connect(ctx context.Context, e Entrance, p Person, id uuid.UUID) (user User, err error) {
	role, err := e.check(&p)
	if err != nil {
		return User{}, err
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `lock table fetchq.users in share row exclusive mode`); err != nil {
			return err
		}
		if err := bind(ctx, tx, p, id); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from fetchq.sessions where user_id = $1`, id); err != nil {
			return err
		}
		was, err := one(collect(ctx, tx, "connect an account", `select `+userColumns+` from fetchq.users where id = $1 and disabled_at is null`, id))
		if err != nil {
			return err
		}
		if user, err = giveRole(ctx, tx, was, role); err != nil {
			return err
		}
		if err := governed(ctx, tx, "role"); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: audit.Account, Target: user.Email, Details: map[string]any{"connected": p.Issuer}})
	})
	return user, database.Error("connect an account", err)
}
