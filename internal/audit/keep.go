package audit

import (
	"context"
	"errors"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

// How long lines are kept, in days.
const (
	LeastKeep   = 30 // fetchq_audit.trim refuses less
	DefaultKeep = 365
	mostKeep    = 36_500
)

const keepKey = "audit_keep_days"

// Keep returns for how many days lines are kept; 0: for ever.
func (l *Log) Keep(ctx context.Context) (int, error) {
	return keepOf(ctx, l.db)
}

type rower interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func keepOf(ctx context.Context, db rower) (int, error) {
	var text string
	err := db.QueryRow(ctx, `select value from fetchq.meta where key = $1`, keepKey).Scan(&text)
	if errors.Is(err, pgx.ErrNoRows) {
		return DefaultKeep, nil
	}
	if err != nil {
		return 0, database.Error("read how long the audit log is kept", err)
	}
	days, err := strconv.Atoi(text)
	if err != nil || days != 0 && days < LeastKeep {
		return DefaultKeep, nil //nolint:nilerr // somebody wrote it by hand
	}
	return days, nil
}

// SetKeep says for how many days lines are kept; 0: for ever. Errors: Invalid (keep).
func (l *Log) SetKeep(ctx context.Context, days int) error {
	if days != 0 && (days < LeastKeep || days > mostKeep) {
		return errs.Field("keep", "%d days; %d to %d are allowed, or nothing for ever", days, LeastKeep, mostKeep)
	}
	err := pgx.BeginFunc(ctx, l.db, func(tx pgx.Tx) error {
		was, err := keepOf(ctx, tx)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `insert into fetchq.meta (key, value) values ($1, $2) on conflict (key) do update set value = excluded.value`,
			keepKey, strconv.Itoa(days)); err != nil {
			return err
		}
		return Write(ctx, tx, Entry{Action: AuditKeep, Details: map[string]any{"days": map[string]int{"was": was, "is": days}}})
	})
	return database.Error("set how long the audit log is kept", err)
}

// Protection is what keeps the database's role from changing lines.
type Protection struct {
	Role      string
	Superuser bool // nothing holds a superuser
	Owner     bool // it owns the schema or the table, or may become who does
	MayChange bool // it was given more than to add and to read
}

// Holds says whether the role can add lines, and neither change nor remove them.
func (p Protection) Holds() bool { return !p.Superuser && !p.Owner && !p.MayChange }

// Protected says what the role of this connection could do to the lines of the log.
func Protected(ctx context.Context, db rower) (p Protection, err error) {
	err = db.QueryRow(ctx, `
		select current_user::text, r.rolsuper,
			exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
				where n.nspname = 'fetchq_audit' and (pg_has_role(c.relowner, 'MEMBER') or pg_has_role(n.nspowner, 'MEMBER'))),
			has_table_privilege('fetchq_audit.lines', 'UPDATE, DELETE, TRUNCATE, TRIGGER')
		from pg_roles r where r.rolname = current_user`).Scan(&p.Role, &p.Superuser, &p.Owner, &p.MayChange)
	return p, database.Error("look who owns the audit log", err)
}
