package catalog

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"time"

	"filippo.io/age"
	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

// VariablePrefix is how the names of variables begin that destinations may name: what else stands in the environment is nobody's to look for.
const VariablePrefix = "FETCHQ_BACKUP_"

var goodVariable = regexp.MustCompile(`^` + VariablePrefix + `[A-Z0-9_]{1,60}$`)

const (
	mostKeep = 10_000
	maxURL   = 2000
	testWait = 20 * time.Second
)

const destinationColumns = `name, url, recipients, coalesce(identity, ''), coalesce(access_key, ''),
	case when secret is not null then '` + Sealed + `' else coalesce(secret_ref, '') end, secret, secret_at, keep_last, keep_daily, keep_weekly, keep_monthly, created_at, created_by,
	tested_at, test_error, pruned_at, prune_error`

func scanDestination(row pgx.CollectableRow) (d Destination, err error) {
	err = row.Scan(&d.Name, &d.URL, &d.Recipients, &d.Identity, &d.AccessKey, &d.Secret, &d.sealed, &d.SecretAt, &d.Keep.Last, &d.Keep.Daily, &d.Keep.Weekly, &d.Keep.Monthly, &d.CreatedAt, &d.CreatedBy,
		&d.TestedAt, &d.TestError, &d.PrunedAt, &d.PruneError)
	return d, err
}

// Destinations returns all, by name.
func (s *Service) Destinations(ctx context.Context) ([]Destination, error) {
	rows, err := s.DB.Query(ctx, `select `+destinationColumns+` from fetchq.backup_destinations order by name`)
	if err != nil {
		return nil, database.Error("list destinations", err)
	}
	list, err := pgx.CollectRows(rows, scanDestination)
	return list, database.Error("list destinations", err)
}

// Destination returns one. Errors: NotFound.
func (s *Service) Destination(ctx context.Context, name string) (Destination, error) {
	return destinationOf(ctx, s.DB, name, "")
}

func destinationOf(ctx context.Context, db interface {
	Query(context.Context, string, ...any) (pgx.Rows, error)
}, name, lock string) (Destination, error) {
	rows, err := db.Query(ctx, `select `+destinationColumns+` from fetchq.backup_destinations where name = $1`+lock, name)
	if err != nil {
		return Destination{}, database.Error("read a destination", err)
	}
	d, err := pgx.CollectExactlyOneRow(rows, scanDestination)
	if errors.Is(err, pgx.ErrNoRows) {
		return d, &errs.Error{Code: errs.NotFound, Field: "destination", Message: "there is no such destination"}
	}
	return d, database.Error("read a destination", err)
}

// check refuses what is no destination.
func (d Destination) check() error {
	if err := errors.Join(checkName(d.Name), wire.CheckText("url", d.URL, maxURL)); err != nil {
		return err
	}
	u, err := url.Parse(d.URL)
	if err != nil || !slices.Contains([]string{"file", "s3", "gs", "azblob"}, u.Scheme) {
		return errs.Field("url", "a destination is a URL like file:///folder, s3://bucket/prefix?region=eu-central-1, gs://bucket/prefix or azblob://container/prefix")
	}
	if hasSecret(u) {
		return errs.Field("url", "there is a secret in the URL; credentials have fields of their own, or come from the environment, from files (profile=…), or by the role of the machine")
	}
	if err := d.checkSecret(u); err != nil {
		return err
	}
	if len(d.Recipients) > 20 {
		return errs.Field("recipients", "20 keys are allowed")
	}
	for _, key := range d.Recipients {
		if _, err := age.ParseX25519Recipient(key); err != nil {
			return errs.Field("recipients", "%.70q is no public key of age; one looks like age1… and is printed by age-keygen", key)
		}
	}
	if d.Identity != "" && !goodVariable.MatchString(d.Identity) {
		return errs.Field("identity", "the name of a variable that begins with %s is wanted; the key itself is not kept here", VariablePrefix)
	}
	for _, k := range []struct {
		field string
		n     int
	}{{"keep_last", d.Keep.Last}, {"keep_daily", d.Keep.Daily}, {"keep_weekly", d.Keep.Weekly}, {"keep_monthly", d.Keep.Monthly}} {
		if k.n < 0 || k.n > mostKeep {
			return errs.Field(k.field, "%s is %d; 0 to %d is allowed", k.field, k.n, mostKeep)
		}
	}
	return nil
}

// hasSecret says whether a URL has something in it that lists of destinations hide.
func hasSecret(u *url.URL) bool {
	if u.User != nil {
		return true
	}
	bare := *u
	bare.RawQuery = u.Query().Encode()
	return backup.Redacted(u.String()) != bare.String()
}

// PutDestination makes a destination or changes it. A secret that was typed before stays while its key does, and, where it is sealed, the URL. Errors: Invalid.
func (s *Service) PutDestination(ctx context.Context, d Destination, by string) (Destination, error) {
	if err := d.check(); err != nil {
		return d, err
	}
	store, err := s.Access.Open(ctx, d.URL, false)
	if code := errs.Of(err); code == errs.Invalid {
		return d, asField("url", err)
	}
	if err == nil {
		store.Close()
	}
	if d.Recipients == nil {
		d.Recipients = []string{}
	}
	err = pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		before, err := destinationOf(ctx, tx, d.Name, " for update")
		if err != nil && errs.Of(err) != errs.NotFound {
			return err
		}
		if err := s.keepSecret(&d, before); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			insert into fetchq.backup_destinations as d (name, url, recipients, identity, keep_last, keep_daily, keep_weekly, keep_monthly, created_by,
				access_key, secret_ref, secret, secret_at)
			values ($1, $2, $3, nullif($4, ''), $5, $6, $7, $8, $9, nullif($10, ''), nullif(nullif($11, ''), $12), $13, case when $11 <> '' then coalesce($14, clock_timestamp()) end)
			on conflict (name) do update set url = excluded.url, recipients = excluded.recipients, identity = excluded.identity, keep_last = excluded.keep_last,
				keep_daily = excluded.keep_daily, keep_weekly = excluded.keep_weekly, keep_monthly = excluded.keep_monthly,
				access_key = excluded.access_key, secret_ref = excluded.secret_ref, secret = excluded.secret, secret_at = excluded.secret_at,
				tested_at = case when (d.url, d.access_key, d.secret_at) is not distinct from (excluded.url, excluded.access_key, excluded.secret_at) then d.tested_at end,
				test_error = case when (d.url, d.access_key, d.secret_at) is not distinct from (excluded.url, excluded.access_key, excluded.secret_at) then d.test_error end
			returning `+destinationColumns,
			d.Name, d.URL, d.Recipients, d.Identity, d.Keep.Last, d.Keep.Daily, d.Keep.Weekly, d.Keep.Monthly, by,
			d.AccessKey, d.Secret, Sealed, d.sealed, d.SecretAt)
		if err != nil {
			return err
		}
		d, err = pgx.CollectExactlyOneRow(rows, scanDestination)
		return err
	})
	s.listings.forget(d.Name)
	return d, database.Error("keep a destination", err)
}

// asField names the field that an error is about.
func asField(field string, err error) error {
	var e *errs.Error
	if !errors.As(err, &e) || e.Field != "" {
		return err
	}
	return &errs.Error{Code: e.Code, Field: field, Message: e.Message, Err: e.Err}
}

// DeleteDestination forgets a destination, and what is known of its backups. They stay where they are. Errors: NotFound, Exists (a schedule
// that needs it).
func (s *Service) DeleteDestination(ctx context.Context, name string) error {
	if _, err := s.Destination(ctx, name); err != nil {
		return err
	}
	var schedule *string
	if err := s.DB.QueryRow(ctx, `select min(name) from fetchq.backup_schedules where destination = $1`, name).Scan(&schedule); err != nil {
		return database.Error("look for schedules", err)
	}
	if schedule != nil {
		return &errs.Error{Code: errs.Exists, Field: "name", Message: "the schedule " + *schedule + " writes to it; delete that first, or give it another destination"}
	}
	_, err := s.DB.Exec(ctx, `delete from fetchq.backup_destinations where name = $1`, name)
	s.listings.forget(name)
	return database.Error("delete a destination", err)
}

// Test writes, reads, lists and deletes a small object at a destination, and keeps whether that went well. The error says which of the four
// failed, and why. Errors: NotFound (no such destination); others are those of the test.
func (s *Service) Test(ctx context.Context, name string) error {
	d, err := s.Destination(ctx, name)
	if err != nil {
		return err
	}
	inner, cancel := context.WithTimeout(ctx, testWait)
	defer cancel()
	store, err := s.create(inner, d)
	if err == nil {
		defer store.Close()
		err = store.Probe(inner)
	}
	_, failed := s.DB.Exec(context.WithoutCancel(ctx), `update fetchq.backup_destinations set tested_at = clock_timestamp(), test_error = $2 where name = $1`, name, told(err))
	if err != nil {
		s.Log.Warn("the test of a destination failed", "destination", name, "error", err)
		return &errs.Error{Code: codeOr(err, errs.Unavailable), Field: "destination", Message: *told(err), Err: err}
	}
	return database.Error("keep the outcome of a test", failed)
}

// told is what a person is told of an error; nil where there is none.
func told(err error) *string {
	if err == nil {
		return nil
	}
	text := err.Error()
	var known *errs.Error
	if errors.As(err, &known) {
		text = known.Message
	}
	return &text
}

func codeOr(err error, other errs.Code) errs.Code {
	if code := errs.Of(err); code != errs.Internal {
		return code
	}
	return other
}

// open opens the store of a destination, and create makes its folder where it has none yet.
func (s *Service) open(ctx context.Context, d Destination) (*backup.Store, error) {
	return s.reach(ctx, d, false)
}

func (s *Service) create(ctx context.Context, d Destination) (*backup.Store, error) {
	return s.reach(ctx, d, true)
}

func (s *Service) reach(ctx context.Context, d Destination, create bool) (*backup.Store, error) {
	access := s.Access
	var err error
	if access.Credentials, err = s.credentials(d); err != nil {
		return nil, err
	}
	return access.Open(ctx, d.URL, create)
}

// keys returns the private keys of a destination; "" where none is known. Errors: Invalid (the variable is not set).
func (s *Service) keys(d Destination) (string, error) {
	if d.Identity == "" {
		return "", nil
	}
	text, there := s.Secret(d.Identity)
	if !there {
		return "", errs.Field("identity", "the variable %s of the destination %s is not set where this server runs", d.Identity, d.Name)
	}
	return text, nil
}
