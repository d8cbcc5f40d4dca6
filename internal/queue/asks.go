package queue

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fetchq/server/internal/database"
)

// asks remembers who asked last for documents of each payload version, so that nobody waits for workers that there are none of.
// A pick notes it in memory; it is written twice a minute, all queues in one statement.
type asks struct {
	now func() time.Time
	mu  sync.Mutex
	by  map[spot]lastAsk // since the last write
}

// lastAsk is one pick.
type lastAsk struct {
	at     time.Time
	worker string
}

const (
	askEvery  = 30 * time.Second // between two writes
	mostAsks  = 10_000           // between two writes; more versions are not noted
	keepAsks  = "90 days"        // what is older is removed
	stopLimit = 5 * time.Second  // for the last write, when the program stops
)

// Unasked is how long nobody may have asked for a version with pending documents until it counts as one without workers.
const Unasked = 10 * time.Minute

func newAsks(now func() time.Time) *asks { return &asks{now: now, by: map[spot]lastAsk{}} }

// note is told of each pick.
func (a *asks) note(s spot, worker string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.by[s]; known || len(a.by) < mostAsks {
		a.by[s] = lastAsk{a.now(), worker}
	}
}

// take returns what was noted since it was called last.
func (a *asks) take() map[spot]lastAsk {
	a.mu.Lock()
	defer a.mu.Unlock()
	by := a.by
	a.by = map[spot]lastAsk{}
	return by
}

// of returns what was noted and not written yet.
func (a *asks) of(s spot) (lastAsk, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k, known := a.by[s]
	return k, known
}

// byQueue returns when somebody asked each queue last, as far as it is not written yet.
func (a *asks) byQueue() map[string]time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	last := map[string]time.Time{}
	for s, k := range a.by {
		if k.at.After(last[s.queue]) {
			last[s.queue] = k.at
		}
	}
	return last
}

// Ask is a pick of a payload version.
type Ask struct {
	At     time.Time
	Worker string // "": it gave no name
}

// LastAsk returns who asked last for documents of a payload version, in the last 90 days, as nodes wrote it up to 30 s ago; nil: nobody did, by the API. Who
// picks by the SQL functions is not noted. Errors: NotFound.
func (e *Engine) LastAsk(ctx context.Context, queue string, version int) (*Ask, error) {
	if err := find(ctx, queue); err != nil {
		return nil, err
	}
	type row struct {
		at     *time.Time
		worker *string
		now    time.Time
	}
	k, err := queryRow(ctx, e, "read who asked last of "+queue, func(r pgx.CollectableRow) (k row, err error) {
		err = r.Scan(&k.at, &k.worker, &k.now)
		return k, err
	}, `select a.asked_at, a.worker, clock_timestamp() from fetchq.queue_find($1) q left join fetchq.asks a on a.queue = q.name and a.version = $2`, queue, version)
	if err != nil {
		return nil, err
	}
	if here, asked := e.asks.of(spot{queue, version}); asked {
		return &Ask{k.now.Add(-max(e.now().Sub(here.at), 0)), here.worker}, nil
	}
	if k.at == nil {
		return nil, nil //nolint:nilnil // nobody asked, which is an answer
	}
	last := Ask{At: *k.at}
	if k.worker != nil {
		last.Worker = *k.worker
	}
	return &last, nil
}

// writeAsks writes what picks noted until ctx ends, and then once more.
func (e *Engine) writeAsks(ctx context.Context) {
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ticker.C:
			if err := e.WriteAsks(ctx); err != nil && ctx.Err() == nil {
				e.log.Warn("who asked last for versions was not written", "error", err)
			}
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	if err := e.WriteAsks(last); err != nil {
		e.log.Warn("who asked last for versions was not written", "error", err)
	}
}

// WriteAsks writes who asked last for versions, as far as this node knows. What cannot be written is forgotten: workers ask again.
func (e *Engine) WriteAsks(ctx context.Context) error {
	by := e.asks.take()
	if len(by) == 0 {
		return nil
	}
	var queues []string
	var versions []int
	var ages []pgtype.Interval
	var workers []*string
	for s, k := range by {
		queues, versions, workers = append(queues, s.queue), append(versions, s.version), append(workers, optional(k.worker))
		ages = append(ages, pgtype.Interval{Microseconds: max(e.now().Sub(k.at), 0).Microseconds(), Valid: true})
	}
	_, err := retry(ctx, "write who asked last for versions", func() (any, error) {
		return e.db.Exec(ctx, `
			with noted as (
				insert into fetchq.asks as a (queue, version, asked_at, worker)
				select u.queue, u.version, clock_timestamp() - u.age, u.worker
				from unnest($1::text[], $2::integer[], $3::interval[], $4::text[]) u (queue, version, age, worker)
					join fetchq.queues q on q.name = u.queue
				order by u.queue, u.version
				on conflict (queue, version) do update set asked_at = greatest(a.asked_at, excluded.asked_at),
					worker = case when excluded.asked_at >= a.asked_at then excluded.worker else a.worker end
			)
			delete from fetchq.asks where asked_at < clock_timestamp() - $5::text::interval`, queues, versions, ages, workers, keepAsks)
	})
	return database.Error("write who asked last for versions", err)
}
