package backup

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/metrics"
)

// stagePrefix begins the names of schemas in which queues are loaded.
const stagePrefix = "fetchq_restore_"

// stage loads queues into schemas of their own and then does what is to be done with them. It removes the schemas where that fails, and those
// that a process left behind which was killed.
func (b *Backups) stage(ctx context.Context, conn *pgx.Conn, from *Store, m Manifest, targets []*target, p loadParams, then func() error) (err error) {
	if err := sweep(ctx, conn); err != nil {
		return err
	}
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			b.unstage(ctx, targets)
		}
	}()
	for i, t := range targets {
		t.stage = fmt.Sprintf("%s%s_%d", stagePrefix, hex.EncodeToString(id[:]), i)
		prepare := makeStage
		if t.installation {
			prepare = makeInstallationStage
		}
		if err := prepare(ctx, conn, t); err != nil {
			return err
		}
	}
	if err := b.load(ctx, from, m, targets, p); err != nil {
		return err
	}
	p.tell(Progress{Phase: "index", Rows: m.Rows(), Total: m.Rows(), Bytes: m.Bytes(), Stored: m.Stored()})
	for _, t := range targets {
		if t.installation {
			continue
		}
		if err := b.finish(ctx, conn, t, p.workers()); err != nil {
			return err
		}
	}
	p.tell(Progress{Phase: "swap", Rows: m.Rows(), Total: m.Rows(), Bytes: m.Bytes(), Stored: m.Stored()})
	return then()
}

// Sweep removes what restores and verifications left behind whose process was killed, also where nobody takes them up again. db is asked whether there
// is anything before a connection is opened for it.
func (b *Backups) Sweep(ctx context.Context, db interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}) error {
	var any bool
	if err := db.QueryRow(ctx, `select exists (select from pg_namespace where starts_with(nspname, $1))`, stagePrefix).Scan(&any); err != nil || !any {
		return database.Error("look for what restores left", err)
	}
	conn, err := b.connect(ctx)
	if err != nil {
		return err
	}
	defer closeConn(ctx, conn)
	return database.Error("remove what restores left", sweep(ctx, conn))
}

// sweep removes stages that nobody holds.
func sweep(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `select nspname from pg_namespace where starts_with(nspname, $1)`, stagePrefix)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		var free bool
		if err := conn.QueryRow(ctx, `select pg_try_advisory_lock($1, hashtext($2))`, lockStage, name).Scan(&free); err != nil {
			return err
		}
		if !free {
			continue
		}
		if _, err := conn.Exec(ctx, `drop schema if exists `+quoted(name)+` cascade`); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, `select pg_advisory_unlock($1, hashtext($2))`, lockStage, name); err != nil {
			return err
		}
	}
	return nil
}

// unstage removes what a restore leaves that failed, also after its context has ended. What it cannot remove the next restore does.
func (b *Backups) unstage(ctx context.Context, targets []*target) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	conn, err := b.connect(ctx)
	if err == nil {
		defer closeConn(ctx, conn)
		for _, t := range targets {
			if _, failed := conn.Exec(ctx, `drop schema if exists `+quoted(t.stage)+` cascade`); failed != nil && t.stage != "" {
				err = failed
			}
		}
	}
	if err != nil {
		b.opt.Log.Warn("what a restore loaded could not be removed; the next one does", "error", err)
	}
}

// makeStage makes the empty queue of a target, without its indexes.
func makeStage(ctx context.Context, conn *pgx.Conn, t *target) error {
	settings, err := usable(ctx, conn, t.Settings)
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, `select pg_advisory_lock($1, hashtext($2))`, lockStage, t.stage); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select fetchq.restore_stage($1, $2)`, t.stage, settings); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `select step, statement from fetchq.restore_bare($1)`, t.stage)
		if err != nil {
			return err
		}
		var step int
		var statement string
		t.indexes = make([][]string, 3)
		_, err = pgx.ForEachRow(rows, []any{&step, &statement}, func() error {
			t.indexes[step-1] = append(t.indexes[step-1], statement)
			return nil
		})
		return err
	})
}

// finish makes of a loaded stage what a queue is: with indexes, without leases, its metrics under numbers that nobody has.
func (b *Backups) finish(ctx context.Context, conn *pgx.Conn, t *target, workers int) error {
	if err := b.index(ctx, conn, t, workers); err != nil {
		return err
	}
	rows, err := conn.Query(ctx, `select version, planned, pending, active, completed, killed from fetchq.restore_settle($1)`, t.stage)
	if err != nil {
		return err
	}
	counted := map[int]Counters{}
	var c Counters
	_, err = pgx.ForEachRow(rows, []any{&c.Version, &c.Planned, &c.Pending, &c.Active, &c.Completed, &c.Killed}, func() error {
		counted[c.Version] = c
		return nil
	})
	if err != nil {
		return err
	}
	t.counters = recounted(t.Counters, counted)
	if _, err := conn.Exec(ctx, `analyze `+quoted(t.stage, "docs")+`, `+quoted(t.stage, "logs")); err != nil {
		return err
	}
	if err := renumber(ctx, conn, t.stage); err != nil {
		return err
	}
	for try := 1; ; try++ {
		_, err := conn.Exec(ctx, `select fetchq.restore_partitions($1)`, t.stage)
		if err == nil || try == 5 || errs.Of(database.Error("", err)) != errs.Overloaded {
			return err
		}
	}
}

// recounted are the events that were counted with the gauges that are there.
func recounted(old []Counters, counted map[int]Counters) []Counters {
	list := []Counters{}
	for _, c := range old {
		now := counted[c.Version]
		delete(counted, c.Version)
		c.Planned, c.Pending, c.Active, c.Completed, c.Killed = now.Planned, now.Pending, now.Active, now.Completed, now.Killed
		list = append(list, c)
	}
	for _, c := range counted {
		list = append(list, c)
	}
	return list
}

// index makes the indexes of a stage, several at a time.
func (b *Backups) index(ctx context.Context, conn *pgx.Conn, t *target, workers int) error {
	work := make(chan string, len(t.indexes[0]))
	for _, statement := range t.indexes[0] {
		work <- statement
	}
	close(work)
	group, inner := errgroup.WithContext(ctx)
	for range min(workers, len(t.indexes[0])) {
		group.Go(func() error {
			conn, err := b.connect(inner)
			if err != nil {
				return err
			}
			defer closeConn(inner, conn)
			if err := roomy(inner, conn, t.Settings); err != nil {
				return err
			}
			for statement := range work {
				if _, err := conn.Exec(inner, statement); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := roomy(ctx, conn, t.Settings); err != nil {
		return err
	}
	for _, step := range t.indexes[1:] {
		for _, statement := range step {
			if _, err := conn.Exec(ctx, statement); err != nil {
				return err
			}
		}
	}
	_, err := conn.Exec(ctx, `reset default_tablespace`)
	return err
}

// roomy gives a connection memory to sort in, and the tablespace in which indexes are made.
func roomy(ctx context.Context, conn *pgx.Conn, settings json.RawMessage) error {
	settings, err := usable(ctx, conn, settings)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, `select set_config('default_tablespace', coalesce($1::jsonb ->> 'tablespace', ''), false),
		set_config('maintenance_work_mem', greatest(pg_size_bytes(current_setting('maintenance_work_mem')), 256 * 1048576)::bigint / 1024 || 'kB', false)`, settings)
	return err
}

// renumber gives the custom metrics of a stage their new numbers, in their series too.
func renumber(ctx context.Context, conn *pgx.Conn, stage string) error {
	rows, err := conn.Query(ctx, `select old_id, new_id from fetchq.restore_metrics($1)`, stage)
	if err != nil {
		return err
	}
	ids := map[int]int{}
	var from, to int
	_, err = pgx.ForEachRow(rows, []any{&from, &to}, func() error {
		ids[from] = to
		return nil
	})
	if err != nil || len(ids) == 0 {
		return err
	}
	for _, step := range steps {
		table := quoted(stage, "_series_"+step)
		for last := (time.Time{}); ; {
			rows, err := conn.Query(ctx, `select slot, data from `+table+` where slot > $1 order by slot limit 500`, last)
			if err != nil {
				return err
			}
			var slots []time.Time
			var list [][]byte
			var slot time.Time
			var data []byte
			_, err = pgx.ForEachRow(rows, []any{&slot, &data}, func() error {
				fresh, err := metrics.Renumber(data, ids)
				slots, list = append(slots, slot), append(list, fresh)
				return err
			})
			if err != nil {
				return damaged("a row of its series cannot be read")
			}
			if len(slots) == 0 {
				break
			}
			last = slots[len(slots)-1]
			_, err = conn.Exec(ctx, `update `+table+` s set data = u.data from unnest($1::timestamptz[], $2::bytea[]) u (slot, data) where s.slot = u.slot`, slots, list)
			if err != nil {
				return err
			}
		}
	}
	return nil
}
