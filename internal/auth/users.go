package auth

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/seal"
)

// Users is the store of the people who may sign in. Its methods are safe for concurrent use.
type Users struct {
	db        *pgxpool.Pool
	hasher    *hasher
	addresses *Throttle
	accounts  *Throttle
	codes     *Throttle    // of second factors: fewer than of passwords, for there are only a million
	sealer    *seal.Sealer // nil: there is no key
}

// NewUsers returns the store in a migrated database. now is this machine's clock, for throttles only.
func NewUsers(db *pgxpool.Pool, now func() time.Time) *Users {
	return &Users{
		db: db, hasher: newHasher(),
		addresses: NewThrottle(now, 0.5, 30),
		accounts:  NewThrottle(now, 0.1, 10),
		codes:     NewThrottle(now, 1.0/60, 10),
	}
}

const userColumns = `id, email, name, role, password is not null, created_at, disabled_at, last_login_at,
	exists (select from fetchq.second_factors where user_id = id and confirmed_at is not null),
	coalesce((select issuer || ' ' || subject from fetchq.identities where user_id = id), ''), queues`

// Create adds a user, who has no password yet: Link makes the link by which one is chosen. Errors: Invalid (email, name,
// role), Exists.
func (s *Users) Create(ctx context.Context, email, name string, role Role) (User, error) {
	var user User
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) (err error) {
		user, err = create(ctx, tx, email, name, role, nil)
		return err
	})
	return user, database.Error("create a user", err)
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// create adds a user with its line of the audit log.
func create(ctx context.Context, tx pgx.Tx, email, name string, role Role, phc *string) (User, error) {
	email, err := cleanEmail(email)
	if err != nil {
		return User{}, err
	}
	if err := checkUser(name, role); err != nil {
		return User{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return User{}, err
	}
	users, err := collect(ctx, tx, "create a user", `insert into fetchq.users (id, email, name, role, password) values ($1, $2, $3, $4, $5)
		on conflict (lower(email)) do nothing returning `+userColumns, id, email, name, role, phc)
	if err == nil && len(users) == 0 {
		err = &errs.Error{Code: errs.Exists, Field: "email", Message: "a user of this e-mail address exists"}
	}
	if err != nil {
		return User{}, err
	}
	return users[0], audit.Write(ctx, tx, audit.Entry{Action: audit.UserCreate, Target: users[0].Email, Details: map[string]any{"role": role}})
}

func collect(ctx context.Context, db querier, op, sql string, args ...any) ([]User, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, database.Error(op, err)
	}
	users, err := pgx.CollectRows(rows, pgx.RowToStructByPos[User])
	return users, database.Error(op, err)
}

// List returns all users by their addresses.
func (s *Users) List(ctx context.Context) ([]User, error) {
	return collect(ctx, s.db, "list users", `select `+userColumns+` from fetchq.users order by lower(email)`)
}

// None says whether there are no users yet.
func (s *Users) None(ctx context.Context) (bool, error) {
	var none bool
	err := s.db.QueryRow(ctx, `select not exists (select from fetchq.users)`).Scan(&none)
	return none, database.Error("look for users", err)
}

var errNoUser = &errs.Error{Code: errs.NotFound, Field: "email", Message: "there is no such user"}

// Find returns the user of an e-mail address, in any case of its letters. Errors: NotFound.
func (s *Users) Find(ctx context.Context, email string) (User, error) {
	return one(collect(ctx, s.db, "find a user", `select `+userColumns+` from fetchq.users where lower(email) = lower($1)`, known(email)))
}

// Get returns a user. Errors: NotFound.
func (s *Users) Get(ctx context.Context, id uuid.UUID) (User, error) {
	return one(collect(ctx, s.db, "read a user", `select `+userColumns+` from fetchq.users where id = $1`, id))
}

func one(users []User, err error) (User, error) {
	if err == nil && len(users) == 0 {
		err = errNoUser
	}
	if err != nil {
		return User{}, err
	}
	return users[0], nil
}

// SetRole gives a user another role, in open sessions too. A higher one ends them: whoever has the cookie of a viewer has no
// cookie of an admin one day. Errors: NotFound, Invalid (role; the last admin stays one).
func (s *Users) SetRole(ctx context.Context, id uuid.UUID, role Role) (User, error) {
	if err := checkUser("", role); err != nil {
		return User{}, err
	}
	return s.change(ctx, "role", id, audit.Entry{Action: audit.UserRole, Details: map[string]any{"is": role}}, `
		with higher as (
			select id from fetchq.users where id = $1 and array_position($3::text[], role) < array_position($3::text[], $2::text)
		), ended as (
			delete from fetchq.sessions where user_id in (select id from higher)
		), over as (
			delete from fetchq.links where user_id in (select id from higher)
		)
		update fetchq.users set role = $2 where id = $1 returning `+userColumns, role, Roles)
}

// SetQueues limits what a user sees to the queues of some patterns, from the next request on, in open sessions too. nil: all. It is kept for an admin, and
// holds when that is one no more. Errors: NotFound, Invalid (queues).
func (s *Users) SetQueues(ctx context.Context, id uuid.UUID, queues []string) (User, error) {
	if queues != nil && len(queues) == 0 {
		return User{}, errs.Field("queues", "at least one queue is wanted; to see none, disable the person")
	}
	if err := checkPatterns(queues); err != nil {
		return User{}, err
	}
	return s.change(ctx, "queues", id, audit.Entry{Action: audit.UserQueues, Details: map[string]any{"queues": queues}},
		`update fetchq.users set queues = $2 where id = $1 returning `+userColumns, queues)
}

// Disable keeps a user from signing in and ends the user's sessions and links. Errors: NotFound, Invalid (the last admin).
func (s *Users) Disable(ctx context.Context, id uuid.UUID) (User, error) {
	return s.change(ctx, "user", id, audit.Entry{Action: audit.UserDisable}, `
		with ended as (delete from fetchq.sessions where user_id = $1), closed as (delete from fetchq.links where user_id = $1)
		update fetchq.users set disabled_at = coalesce(disabled_at, clock_timestamp()) where id = $1 returning `+userColumns)
}

// Enable lets a user sign in again. A session or link that was made in the moment of the disabling ends here. Errors: NotFound.
func (s *Users) Enable(ctx context.Context, id uuid.UUID) (User, error) {
	return s.change(ctx, "user", id, audit.Entry{Action: audit.UserEnable}, `
		with was as (select id from fetchq.users where id = $1 and disabled_at is not null),
			ended as (delete from fetchq.sessions where user_id = (select id from was)),
			closed as (delete from fetchq.links where user_id = (select id from was))
		update fetchq.users set disabled_at = null where id = $1 returning `+userColumns)
}

// change runs a statement on one user with its line of the audit log, and undoes it where it leaves nobody who governs.
func (s *Users) change(ctx context.Context, field string, id uuid.UUID, line audit.Entry, sql string, args ...any) (user User, err error) {
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		// Two admins who demote each other at once take turns.
		if _, err := tx.Exec(ctx, `lock table fetchq.users in share row exclusive mode`); err != nil {
			return err
		}
		if user, err = one(collect(ctx, tx, "change a user", sql, append([]any{id}, args...)...)); err != nil {
			return err
		}
		if err := governed(ctx, tx, field); err != nil {
			return err
		}
		line.Target = user.Email
		return audit.Write(ctx, tx, line)
	})
	return user, database.Error("change a user", err)
}

// governed refuses what leaves nobody who governs.
func governed(ctx context.Context, tx pgx.Tx, field string) error {
	var any bool
	err := tx.QueryRow(ctx, `select exists (select from fetchq.users where role = $1 and disabled_at is null)`, RoleAdmin).Scan(&any)
	if err == nil && !any {
		return errs.Field(field, "this is the last admin; make somebody else admin first")
	}
	return err
}
