package catalog

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

// record writes down what a backup is; by says who made it, nil: it was found.
func record(ctx context.Context, tx pgx.Tx, destination string, m backup.Manifest, by *try) error {
	queues := make([]string, len(m.Queues))
	for i, q := range m.Queues {
		queues[i] = q.Name
	}
	var madeBy, schedule, operation any
	if by != nil {
		madeBy, operation = by.AskedBy, by.ID
		if by.Asks.Schedule != "" {
			schedule = by.Asks.Schedule
		}
	}
	_, err := tx.Exec(ctx, `
		insert into fetchq.backups as b (destination, name, snapshot_at, finished_at, queues, rows, bytes, stored, objects, made_by, schedule, operation)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		on conflict (destination, name) do update set gone_at = null, made_by = coalesce(excluded.made_by, b.made_by),
			schedule = coalesce(excluded.schedule, b.schedule), operation = coalesce(excluded.operation, b.operation)`,
		destination, m.Name, m.SnapshotAt, m.FinishedAt, queues, m.Rows(), m.Bytes(), m.Stored(), objectsOf(m), madeBy, schedule, operation)
	return database.Error("write down a backup", err)
}

const backupColumns = `destination, name, snapshot_at, finished_at, queues, rows, bytes, stored, objects, made_by, schedule, operation, verified_at, verified_by, loaded,
	problem, restored_at, restored_by, coalesce(restored_as, '{}'), gone_at`

// known returns what is known here of backups of a destination.
func (s *Service) known(ctx context.Context, destination string, names []string) (map[string]Backup, error) {
	rows, err := s.DB.Query(ctx, `select `+backupColumns+` from fetchq.backups where destination = $1 and name = any ($2)`, destination, names)
	if err != nil {
		return nil, database.Error("look backups up", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Backup])
	found := map[string]Backup{}
	for _, b := range list {
		found[b.Name] = b
	}
	return found, database.Error("look backups up", err)
}

// Entry is a backup as its destination has it, beside what is known of it here.
type Entry struct {
	backup.Entry
	Known *Backup // nil: nothing
}

// Page is a part of what a destination has, the newest first.
type Page struct {
	Entries []Entry
	Next    string    // the name behind which the next part begins; "": there is none
	At      time.Time // when the destination was asked
}

// Limits of listings.
const (
	MaxPage  = 100
	listWait = 20 * time.Second
)

// List asks a destination for up to limit backups before the name before; "": the latest. Errors: NotFound (no such destination), Invalid (limit), and
// what the destination answers, Unavailable where that takes too long.
func (s *Service) List(ctx context.Context, destination, before string, limit int) (Page, error) {
	if limit < 1 || limit > MaxPage {
		return Page{}, errs.Field("limit", "limit is %d; 1 to %d are allowed", limit, MaxPage)
	}
	d, err := s.Destination(ctx, destination)
	if err != nil {
		return Page{}, err
	}
	return s.list(ctx, d, before, limit)
}

func (s *Service) list(ctx context.Context, d Destination, before string, limit int) (Page, error) {
	ctx, cancel := context.WithTimeout(ctx, listWait)
	defer cancel()
	p := Page{At: s.Now()}
	store, err := s.open(ctx, d)
	if err != nil {
		return p, late(ctx, d, err)
	}
	defer store.Close()
	list, more, err := store.Latest(ctx, before, limit)
	if err != nil {
		return p, late(ctx, d, err)
	}
	for _, e := range list {
		p.Entries = append(p.Entries, Entry{Entry: e})
	}
	if more {
		p.Next = list[len(list)-1].Name
	}
	// Names have seconds, and a random end.
	slices.SortStableFunc(p.Entries, func(a, b Entry) int { return b.Manifest.SnapshotAt.Compare(a.Manifest.SnapshotAt) })
	return p, s.join(ctx, d.Name, p.Entries)
}

// join puts beside backups what is known of them.
func (s *Service) join(ctx context.Context, destination string, entries []Entry) error {
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	known, err := s.known(ctx, destination, names)
	for i, e := range entries {
		entries[i].Known = nil
		if b, there := known[e.Name]; there {
			entries[i].Known = &b
		}
	}
	return err
}

// late says that a destination took too long, where that is what an error means.
func late(ctx context.Context, d Destination, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &errs.Error{Code: errs.Unavailable, Field: "destination", Message: d.Name + " did not answer within " + listWait.String(), Err: err}
	}
	return err
}

// Show returns one backup with what is in it. Errors: NotFound, Invalid (its manifest is damaged), Unsupported, and what the destination answers.
func (s *Service) Show(ctx context.Context, destination, name string) (Entry, error) {
	d, err := s.Destination(ctx, destination)
	if err != nil {
		return Entry{}, err
	}
	inner, cancel := context.WithTimeout(ctx, listWait)
	defer cancel()
	store, err := s.open(inner, d)
	if err != nil {
		return Entry{}, late(inner, d, err)
	}
	defer store.Close()
	m, err := store.Manifest(inner, name)
	if err != nil {
		return Entry{}, late(inner, d, err)
	}
	m.Members = nil
	list := []Entry{{Entry: backup.Entry{Name: name, Manifest: m}}}
	err = s.join(ctx, destination, list)
	return list[0], err
}

// OfQueue says when there was a backup of a queue last, when one was read back, and when one was restored.
type OfQueue struct {
	Queue                    string
	Good, Verified, Restored *time.Time
}

// Queues returns what is known of backups of each queue that is there now.
func (s *Service) Queues(ctx context.Context) ([]OfQueue, error) {
	rows, err := s.DB.Query(ctx, `
		select q.name, max(b.snapshot_at) filter (where b.gone_at is null and b.problem is null), max(b.verified_at) filter (where b.problem is null), max(b.restored_at)
		from fetchq.queues q left join fetchq.backups b on q.name = any (b.queues)
		group by q.name order by q.name`)
	if err != nil {
		return nil, database.Error("look for backups of queues", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[OfQueue])
	return list, database.Error("look for backups of queues", err)
}
