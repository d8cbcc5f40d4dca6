package charts

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

// Bounds of what is kept.
const (
	MaxDashboards = 200
	MaxCharts     = 30 // of a dashboard
	maxName       = 100
	maxMark       = 200
	mostMarks     = 200  // in one chart, the newest; of all queues together, and of those that it names
	queueMarks    = 1000 // that are kept of a queue, and of all of them together, the newest
	marksKept     = 2 * 365 * day
)

// Store keeps dashboards and marks. Its methods are safe for concurrent use.
type Store struct{ db *pgxpool.Pool }

// NewStore returns the store in a migrated database.
func NewStore(db *pgxpool.Pool) *Store { return &Store{db: db} }

// Dashboard is a page of charts that a team shares.
type Dashboard struct {
	ID        uuid.UUID
	Name      string
	Charts    []Chart
	Edits     int64 // grows with each change
	CreatedBy string
	UpdatedAt time.Time
}

// row is a dashboard as it is kept.
type row struct {
	ID        uuid.UUID
	Name      string
	Charts    []string
	Edits     int64
	CreatedBy string
	UpdatedAt time.Time
}

const columns = `id, name, charts, edits, created_by, updated_at`

func (r row) dashboard() Dashboard {
	d := Dashboard{ID: r.ID, Name: r.Name, Edits: r.Edits, CreatedBy: r.CreatedBy, UpdatedAt: r.UpdatedAt}
	for _, text := range r.Charts {
		d.Charts = append(d.Charts, read(text))
	}
	return d
}

// read reads a chart as it is kept. One that cannot be read stays what it is: a newer version may know more than this one.
func read(text string) Chart {
	q, err := url.ParseQuery(text)
	if err != nil {
		return Chart{Kept: text, Wrong: "what is kept is no address of a chart"}
	}
	c, err := Parse(q)
	if err == nil {
		return c
	}
	lost := Chart{Kept: text, Wrong: err.Error()}
	if plain(c.Title) && len(c.Title) <= maxTitle {
		lost.Title = c.Title
	}
	return lost
}

// text is a chart as it is kept.
func (c Chart) text() string {
	if c.Kept != "" {
		return c.Kept
	}
	return c.Query().Encode()
}

// Dashboards returns all, by name.
func (s *Store) Dashboards(ctx context.Context) ([]Dashboard, error) {
	rows, err := s.db.Query(ctx, `select `+columns+` from fetchq.dashboards order by lower(name) limit $1`, MaxDashboards)
	if err != nil {
		return nil, database.Error("list the dashboards", err)
	}
	kept, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		return nil, database.Error("list the dashboards", err)
	}
	list := make([]Dashboard, len(kept))
	for i, r := range kept {
		list[i] = r.dashboard()
	}
	return list, nil
}

// Dashboard returns one. Errors: NotFound.
func (s *Store) Dashboard(ctx context.Context, id uuid.UUID) (Dashboard, error) {
	rows, err := s.db.Query(ctx, `select `+columns+` from fetchq.dashboards where id = $1`, id)
	if err != nil {
		return Dashboard{}, database.Error("read a dashboard", err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[row])
	if errors.Is(err, pgx.ErrNoRows) {
		return Dashboard{}, errs.New(errs.NotFound, "there is no such dashboard")
	}
	if err != nil {
		return Dashboard{}, database.Error("read a dashboard", err)
	}
	return r.dashboard(), nil
}

// Create makes an empty dashboard. Errors: Invalid (name), Exists, TooLarge past MaxDashboards.
func (s *Store) Create(ctx context.Context, name, by string) (Dashboard, error) {
	name, err := checkName(name)
	if err != nil {
		return Dashboard{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Dashboard{}, err
	}
	tag, err := s.db.Exec(ctx, `insert into fetchq.dashboards (id, name, created_by)
		select $1, $2, $3 where (select count(*) from fetchq.dashboards) < $4`, id, name, by, MaxDashboards)
	switch {
	case taken(err):
		return Dashboard{}, errs.Field("name", "a dashboard has that name already")
	case err != nil:
		return Dashboard{}, database.Error("make a dashboard", err)
	case tag.RowsAffected() == 0:
		return Dashboard{}, errs.Field("name", "there are 200 dashboards, which is as many as there may be; delete one first")
	}
	return s.Dashboard(ctx, id)
}

// Save writes the name and charts of a dashboard that nobody has changed since it was read. Errors: Invalid (name, charts), Stale,
// NotFound.
func (s *Store) Save(ctx context.Context, d Dashboard) error {
	name, err := checkName(d.Name)
	if err != nil {
		return err
	}
	if len(d.Charts) > MaxCharts {
		return errs.Field("charts", "a dashboard has 30 charts at most; make another one")
	}
	texts := make([]string, len(d.Charts))
	for i, c := range d.Charts {
		texts[i] = c.text()
	}
	tag, err := s.db.Exec(ctx, `update fetchq.dashboards set name = $2, charts = $3, edits = edits + 1, updated_at = clock_timestamp()
		where id = $1 and edits = $4`, d.ID, name, texts, d.Edits)
	switch {
	case taken(err):
		return errs.Field("name", "a dashboard has that name already")
	case err != nil:
		return database.Error("save a dashboard", err)
	case tag.RowsAffected() == 0:
		if _, err := s.Dashboard(ctx, d.ID); err != nil {
			return err
		}
		return errs.New(errs.Stale, "somebody has changed this dashboard meanwhile; look at it again")
	}
	return nil
}

// Delete removes a dashboard; one that is gone is no error.
func (s *Store) Delete(ctx context.Context, id uuid.UUID) error {
	_, err := s.db.Exec(ctx, `delete from fetchq.dashboards where id = $1`, id)
	return database.Error("delete a dashboard", err)
}

func checkName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > maxName || !plain(name) {
		return "", errs.Field("name", "%s is no name of a dashboard, which has 1 to 100 bytes of UTF-8 without control characters", quoted(name))
	}
	return name, nil
}

func taken(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "23505"
}

// CheckMark says whether a mark can have a text, without the white space around it. Errors: Invalid (text).
func CheckMark(text string) error {
	if text = strings.TrimSpace(text); text == "" {
		return errs.Field("text", "1 to %d bytes are wanted", maxMark)
	}
	return wire.CheckText("text", text, maxMark)
}

// AddMark notes an event; queue "" is all of them, and a zero time is now, by the database's clock. What is older than the newest 1,000
// of a queue goes. Errors: Invalid (text, at).
func (s *Store) AddMark(ctx context.Context, queue, text, by string, at time.Time) (Mark, error) {
	text = strings.TrimSpace(text)
	if err := CheckMark(text); err != nil {
		return Mark{}, err
	}
	var when *time.Time
	if !at.IsZero() {
		when = &at
	}
	var made time.Time
	err := s.db.QueryRow(ctx, `with old as (delete from fetchq.marks where at < clock_timestamp() - $5::interval),
		more as (delete from fetchq.marks where id in (
			select id from fetchq.marks where coalesce(queue, '') = $3 order by at desc offset $6))
		insert into fetchq.marks (at, text, queue, created_by)
		select t.at, $2, nullif($3, ''), $4 from (select coalesce($1, clock_timestamp()) as at) t
		where t.at between clock_timestamp() - $5::interval and clock_timestamp() + interval '1 day'
		returning at`, when, text, queue, by, marksKept, queueMarks-1).Scan(&made)
	if errors.Is(err, pgx.ErrNoRows) {
		return Mark{}, errs.Field("at", "it may be two years ago to tomorrow")
	}
	if err != nil {
		return Mark{}, database.Error("note a mark", err)
	}
	return Mark{At: made.Unix(), Text: text}, nil
}

// Marks returns those that are of no queue, and those of the given ones, in a time, the oldest first: the newest 200 of the former, and as many
// of the latter, of which each queue has its share. Those of one queue stand in no chart that does not name it: whoever may note them there
// pushes out neither what stands in all charts nor what is of another queue.
func (s *Store) Marks(ctx context.Context, queues []string, from, to time.Time) ([]Mark, error) {
	rows, err := s.db.Query(ctx, `select extract(epoch from at)::bigint, text from (
			(select at, text from fetchq.marks where coalesce(queue, '') = '' and at >= $1 and at < $2 order by at desc limit $4)
			union all
			(select m.at, m.text from unnest($3::text[]) q (name) cross join lateral (
				select at, text, row_number() over (order by at desc) as n from fetchq.marks
				where coalesce(queue, '') = q.name and at >= $1 and at < $2 order by at desc limit $4) m
			where q.name <> '' order by m.n, m.at desc limit $4)
		) t order by at`, from, to, append([]string{}, queues...), mostMarks) // no queue is no null
	if err != nil {
		return nil, database.Error("read the marks", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Mark])
	return list, database.Error("read the marks", err)
}
