package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

// RestoreParams say what is restored, and into what.
type RestoreParams struct {
	Queues       []string // none: all of the backup
	As           string   // another name, where it is one queue
	Replace      []string // queues that may go though they have documents, by the names that those of the backup will have
	SettingsOnly bool     // of a queue that is there, or of a new and empty one
	Installation bool     // users, tokens and what else is of the whole installation too, of a backup that has them
	// ReplaceInstallation: users, tokens and so on that are there may go.
	ReplaceInstallation bool
	Keys                string   // age's private keys, one a line, where the backup is encrypted
	Workers             int      // connections that write side by side; 0: 2
	By                  []string // who restores, for the journal; nil: the role of the connection
	Progress            func(Progress)
	// Commit is called at the end of the transaction that changes what lives; may be nil.
	Commit func(context.Context, pgx.Tx, []Restored) error
}

// Restored is a queue that came back.
type Restored struct {
	Queue     string // of the backup
	As        string
	Documents int64
}

// target is one queue on its way back.
type target struct {
	Queue
	as    string
	stage string // its schema until the swap
	// installation: it is no queue, but the tables of the installation.
	installation bool
	counters     []Counters
	open         map[string][]byte // of a table: the beginning of a row that goes on in the next member
	indexes      [][]string        // statements that make them, by step
}

// Restore puts queues of a backup back, all of them or none. Each is loaded beside what lives and takes its place in one transaction, when all of
// the backup was found to be what was written. It is paused then. Errors: NotFound (the backup, or a queue in it); Exists (a queue that has
// documents); Unsupported (a newer format); Invalid (it is damaged); Overloaded (calls under way, or another restore); Unavailable.
func (b *Backups) Restore(ctx context.Context, from *Store, name string, p RestoreParams) ([]Restored, error) {
	m, err := from.Manifest(ctx, name)
	if err != nil {
		return nil, err
	}
	targets, err := choose(m, p)
	if err != nil {
		return nil, err
	}
	conn, err := b.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer release(ctx, conn)
	if err := b.claim(ctx, conn, targets, p); err != nil {
		return nil, database.Error("begin a restore", err)
	}
	if p.SettingsOnly {
		err = putSettings(ctx, conn, targets, p)
	} else {
		err = b.stage(ctx, conn, from, m, targets, loadParams{p.Keys, p.Workers, p.Progress}, func() error {
			return swap(ctx, conn, m, targets, p)
		})
	}
	if err != nil {
		return nil, database.Error("restore a backup", err)
	}
	return restored(targets), nil
}

// restored says what came back.
func restored(targets []*target) (done []Restored) {
	for _, t := range targets {
		if t.installation {
			continue
		}
		r := Restored{Queue: t.Name, As: t.as}
		for _, c := range t.counters {
			r.Documents += c.Documents()
		}
		done = append(done, r)
	}
	return done
}

// commit calls what the caller wants in the same transaction.
func (p RestoreParams) commit(ctx context.Context, tx pgx.Tx, targets []*target) error {
	if p.Commit == nil {
		return nil
	}
	return p.Commit(ctx, tx, restored(targets))
}

// choose picks the queues that are wanted out of a backup, in the order of the names that they get.
func choose(m Manifest, p RestoreParams) ([]*target, error) {
	var targets []*target
	for _, q := range m.Queues {
		if len(p.Queues) == 0 || slices.Contains(p.Queues, q.Name) {
			targets = append(targets, &target{Queue: q, as: q.Name, open: map[string][]byte{}})
		}
	}
	for _, name := range p.Queues {
		if !slices.ContainsFunc(m.Queues, func(q Queue) bool { return q.Name == name }) {
			return nil, &errs.Error{Code: errs.NotFound, Field: "queue", Message: fmt.Sprintf("the backup has no queue %.40q", name)}
		}
	}
	if p.As != "" {
		if len(targets) != 1 {
			return nil, &errs.Error{Code: errs.Invalid, Field: "as", Message: "one queue gets another name; the backup has several, so name one"}
		}
		if !goodQueue.MatchString(p.As) {
			return nil, &errs.Error{Code: errs.Invalid, Field: "as", Message: "a queue's name is 1 to 40 of a-z, 0-9 and _, and begins with a letter"}
		}
		targets[0].as = p.As
	}
	slices.SortFunc(targets, func(a, b *target) int { return strings.Compare(a.as, b.as) })
	if p.Installation {
		t, err := chooseInstallation(m, p)
		return append(targets, t), err // last, for nobody adds a user while it is put there
	}
	if len(targets) == 0 {
		return nil, errs.New(errs.NotFound, "the backup has no queues")
	}
	return targets, nil
}

// The first numbers of advisory locks, which a connection holds as long as it stands: for a stage, and for the name that a queue will have.
const (
	lockStage = 7378414
	lockName  = 7378415
)

// claim keeps other restores out of the names that the queues will have, and refuses those that are taken before anything is read.
func (b *Backups) claim(ctx context.Context, conn *pgx.Conn, targets []*target, p RestoreParams) error {
	for _, t := range targets {
		if t.installation {
			if err := claimInstallation(ctx, conn, p); err != nil {
				return err
			}
			continue
		}
		var free, there bool
		err := conn.QueryRow(ctx, `select pg_try_advisory_lock($1, hashtext($2)), exists (select from fetchq.queues where name = $2)`, lockName, t.as).Scan(&free, &there)
		if err != nil {
			return err
		}
		if !free {
			return &errs.Error{Code: errs.Overloaded, Field: "queue", Message: fmt.Sprintf("another restore into the queue %s is under way", t.as)}
		}
		if !there || slices.Contains(p.Replace, t.as) || p.SettingsOnly {
			continue
		}
		var filled bool
		if err := conn.QueryRow(ctx, `select exists (select from `+quoted("q_"+t.as, "docs")+`)`).Scan(&filled); err != nil {
			return err
		}
		if filled {
			return &errs.Error{Code: errs.Exists, Field: "queue",
				Message: fmt.Sprintf("the queue %s has documents; restore it under another name, or say that it is to be replaced", t.as)}
		}
	}
	return nil
}

// usable returns the settings as this database can take them: a tablespace that is not here is left out.
func usable(ctx context.Context, conn *pgx.Conn, settings json.RawMessage, without ...string) (json.RawMessage, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(settings, &all); err != nil {
		return nil, damaged("the settings of a queue cannot be read")
	}
	for _, name := range without {
		delete(all, name)
	}
	var space *string
	if err := json.Unmarshal(all["tablespace"], &space); err == nil && space != nil {
		var there bool
		if err := conn.QueryRow(ctx, `select exists (select from pg_tablespace where spcname = $1)`, *space).Scan(&there); err != nil {
			return nil, err
		}
		if !there {
			delete(all, "tablespace")
		}
	}
	return json.Marshal(all)
}

// putSettings gives queues the settings of the backup, and makes those that are not there.
func putSettings(ctx context.Context, conn *pgx.Conn, targets []*target, p RestoreParams) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, t := range targets {
			var there bool
			if err := tx.QueryRow(ctx, `select exists (select from fetchq.queues where name = $1)`, t.as).Scan(&there); err != nil {
				return err
			}
			var fixed []string
			if there {
				fixed = []string{"partitions", "tablespace"}
			}
			settings, err := usable(ctx, conn, t.Settings, fixed...)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `select fetchq.queue_put($1, $2)`, t.as, settings); err != nil {
				return err
			}
		}
		return p.commit(ctx, tx, targets)
	})
}

// facts are what the swap is told of a queue beside its tables.
func (t *target) facts() ([]byte, error) {
	pauses := t.VersionPauses
	if len(pauses) == 0 {
		pauses = json.RawMessage("null")
	}
	return json.Marshal(map[string]any{
		"created_at": t.CreatedAt, "version_pauses": pauses, "seq": t.Seq, "log_seq": t.LogSeq, "lease": t.Lease, "counters": t.counters,
	})
}

// swap gives the stages the places of their queues, in one transaction. It is tried again where calls under way do not end.
func swap(ctx context.Context, conn *pgx.Conn, m Manifest, targets []*target, p RestoreParams) error {
	for try := 1; ; try++ {
		err := swapOnce(ctx, conn, m, targets, p)
		if try == 3 || errs.Of(database.Error("", err)) != errs.Overloaded {
			return err
		}
	}
}

func swapOnce(ctx context.Context, conn *pgx.Conn, m Manifest, targets []*target, p RestoreParams) error {
	// The highest lease of what stands there takes a look at all documents, and is looked for before anybody has to wait.
	leases := make([]int64, len(targets))
	for i, t := range targets {
		if t.installation {
			continue
		}
		var there bool
		if err := conn.QueryRow(ctx, `select to_regclass($1) is not null`, quoted("q_"+t.as, "docs")).Scan(&there); err != nil {
			return err
		}
		if !there {
			continue
		}
		err := conn.QueryRow(ctx, `select coalesce(max(lease), 0) from `+quoted("q_"+t.as, "docs")).Scan(&leases[i])
		if err != nil && errs.Of(database.Error("", err)) != errs.NotFound {
			return err
		}
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `set local lock_timeout = '2s'`); err != nil {
			return err
		}
		for i, t := range targets {
			if t.installation {
				if err := putInstallation(ctx, tx, t, p); err != nil {
					return err
				}
				continue
			}
			facts, err := t.facts()
			if err != nil {
				return err
			}
			reason := fmt.Sprintf("restored from %s; look at its dates, then resume it", m.Name)
			if _, err := tx.Exec(ctx, `select fetchq.restore_swap($1, $2, $3, $4, $5, $6, $7)`, t.stage, t.as, facts, slices.Contains(p.Replace, t.as), leases[i], reason, p.By); err != nil {
				return err
			}
		}
		return p.commit(ctx, tx, targets)
	})
}

// errCounts is what a verification finds where the rows are whole and their number is not what the counters say.
var errCounts = errors.New("the documents are not as many as the counters say")
