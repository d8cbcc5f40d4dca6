package catalog

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/internal/wire"
)

// Repeat makes a request safe to repeat: the same key again is the same operation.
type Repeat struct {
	Key   string // "": none
	Print []byte // a hash of the request; nil: of its fields
}

// Run asks for a backup of queues, of all where none is named, to a destination. It begins at once where none runs, and else stands in line.
// Errors: NotFound (no such destination or queue), Invalid.
func (s *Service) Run(ctx context.Context, a Asks, by operations.Asked, r Repeat) (operations.Operation, error) {
	if _, err := s.Destination(ctx, a.Destination); err != nil {
		return operations.Operation{}, err
	}
	if a.MaxRate < 0 {
		return operations.Operation{}, errs.Field("max_rate", "max_rate is a number of bytes a second; 0 is as fast as it goes")
	}
	queues, err := s.queues(ctx, a.Queues)
	if err != nil {
		return operations.Operation{}, err
	}
	return s.add(ctx, operations.Backup, Asks{Destination: a.Destination, Queues: queues, MaxRate: a.MaxRate, Verify: a.Verify}, by, r)
}

// queues refuses names of no queues, and returns them in order, each once; none: nil.
func (s *Service) queues(ctx context.Context, names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(names)))
	var missing *string
	err := s.DB.QueryRow(ctx, `select min(n) from unnest($1::text[]) n where not exists (select from fetchq.queues where name = n)`, sorted).Scan(&missing)
	if err != nil {
		return nil, database.Error("look for queues", err)
	}
	if missing != nil {
		return nil, &errs.Error{Code: errs.NotFound, Field: "queues", Message: fmt.Sprintf("there is no queue %.40q", *missing)}
	}
	return sorted, nil
}

// Verify asks for a backup to be read back; a.Load says that it is loaded into a scratch schema too. Errors: NotFound, and what the destination answers.
func (s *Service) Verify(ctx context.Context, a Asks, by operations.Asked, r Repeat) (operations.Operation, error) {
	if err := s.readable(ctx, a); err != nil {
		return operations.Operation{}, err
	}
	return s.add(ctx, operations.Verify, Asks{Destination: a.Destination, Name: a.Name, Load: a.Load}, by, r)
}

// readable looks whether a backup is there, and the key for it where it is encrypted.
func (s *Service) readable(ctx context.Context, a Asks) error {
	e, err := s.Show(ctx, a.Destination, a.Name)
	if err != nil {
		return err
	}
	d, err := s.Destination(ctx, a.Destination)
	if err != nil {
		return err
	}
	keys, err := s.keys(d)
	if err == nil && keys == "" && e.Manifest.Encryption != "" {
		err = errs.Field("identity", "the backup is encrypted, and the destination %s names no variable that has the private key", d.Name)
	}
	return err
}

// Restore asks for queues of a backup to be put back. It is refused at once where the preview says that it would be. Errors: NotFound, Exists (a queue that has
// documents, and is not named in a.Replace), Invalid, Unsupported, and what the destination answers.
func (s *Service) Restore(ctx context.Context, a Asks, by operations.Asked, r Repeat) (operations.Operation, error) {
	p, err := s.Preview(ctx, a)
	if err != nil {
		return operations.Operation{}, err
	}
	for _, q := range p.Queues {
		if q.Refused != "" {
			return operations.Operation{}, &errs.Error{Code: errs.Exists, Field: "replace", Message: q.Refused}
		}
	}
	if err := s.readable(ctx, a); err != nil && !a.SettingsOnly {
		return operations.Operation{}, err
	}
	return s.add(ctx, operations.Restore, Asks{Destination: a.Destination, Name: a.Name, Queues: a.Queues, As: a.As, Replace: a.Replace, SettingsOnly: a.SettingsOnly}, by, r)
}

func (s *Service) add(ctx context.Context, action string, a Asks, by operations.Asked, r Repeat) (operations.Operation, error) {
	if err := wire.CheckText("idempotency_key", r.Key, 255); err != nil {
		return operations.Operation{}, err
	}
	var id uuid.UUID
	err := pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `select id from fetchq.backup_add($1, $2, $3, $4, nullif($5, ''), nullif($6, ''), nullif($7, ''), $8)`,
			action, a, by.By, by.As, by.From, by.RequestID, r.Key, r.Print).Scan(&id)
		if err != nil {
			return err
		}
		line := map[string]audit.Action{operations.Backup: audit.BackupRun, operations.Verify: audit.BackupVerify, operations.Restore: audit.BackupRestore}[action]
		return audit.Write(ctx, tx, by.Line(line, a.Destination, map[string]any{"operation": id, "asks": a}))
	})
	if err != nil {
		return operations.Operation{}, database.Error("ask for a "+action, err)
	}
	s.wake()
	return s.Operations.Get(ctx, id)
}

// Preview is what a restore would do.
type Preview struct {
	Name       string
	SnapshotAt time.Time
	Queues     []PreviewQueue
}

// PreviewQueue is what a restore would do to one queue.
type PreviewQueue struct {
	Queue     string // of the backup
	As        string // what it will be called
	Documents int64  // of the backup
	There     bool   // a queue of that name is there now
	Now       int64  // documents that it has
	Replaced  bool   // it goes, with its documents
	Refused   string // why it would not be done; "": it would
}

// Preview says what a restore would do, and changes nothing. Errors: as Restore, but for Exists.
func (s *Service) Preview(ctx context.Context, a Asks) (Preview, error) {
	e, err := s.Show(ctx, a.Destination, a.Name)
	if err != nil {
		return Preview{}, err
	}
	p := Preview{Name: e.Name, SnapshotAt: e.Manifest.SnapshotAt}
	for _, q := range e.Manifest.Queues {
		if len(a.Queues) == 0 || slices.Contains(a.Queues, q.Name) {
			p.Queues = append(p.Queues, PreviewQueue{Queue: q.Name, As: q.Name, Documents: q.Documents()})
		}
	}
	for _, name := range a.Queues {
		if !slices.ContainsFunc(p.Queues, func(q PreviewQueue) bool { return q.Queue == name }) {
			return p, &errs.Error{Code: errs.NotFound, Field: "queues", Message: fmt.Sprintf("the backup has no queue %.40q", name)}
		}
	}
	if a.As != "" {
		if len(p.Queues) != 1 {
			return p, errs.Field("as", "one queue gets another name; the backup has %d, so name one", len(p.Queues))
		}
		if !goodQueue.MatchString(a.As) {
			return p, errs.Field("as", "a queue's name is 1 to 40 of a-z, 0-9 and _, and begins with a letter")
		}
		p.Queues[0].As = a.As
	}
	for i := range p.Queues {
		if err := s.compare(ctx, a, &p.Queues[i]); err != nil {
			return p, err
		}
	}
	return p, nil
}

// compare looks at what stands where a queue would come.
func (s *Service) compare(ctx context.Context, a Asks, q *PreviewQueue) error {
	there, err := s.Engine.Get(ctx, q.As)
	if errs.Of(err) == errs.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	c := there.Counts
	q.There, q.Now = true, c.Planned+c.Pending+c.Active+c.Completed+c.Killed
	if a.SettingsOnly {
		return nil
	}
	q.Replaced = slices.Contains(a.Replace, q.As)
	if q.Now > 0 && !q.Replaced {
		q.Refused = fmt.Sprintf("the queue %s has documents; restore it under another name, or say that it is to be replaced", q.As)
	}
	return nil
}
