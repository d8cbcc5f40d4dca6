package queue

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// JobLag is how far behind its time one maintenance job of a queue is.
type JobLag struct {
	Queue, Kind string
	Late        time.Duration // since it should have begun; 0: it is not late, or runs
	Failing     bool          // its last run failed
}

// JobLags returns the maintenance jobs of all queues, in the order of their queues and kinds. A job is late when its moment, or that
// of a wake, has passed and no node has begun it, or when the node that had begun it is gone.
func (e *Engine) JobLags(ctx context.Context) ([]JobLag, error) {
	return query(ctx, e, "read how late maintenance is", func(row pgx.CollectableRow) (j JobLag, err error) {
		var seconds float64
		err = row.Scan(&j.Queue, &j.Kind, &seconds, &j.Failing)
		j.Late = time.Duration(min(seconds, maxLate.Seconds()) * float64(time.Second))
		return j, err
	}, `select j.queue, j.kind, greatest(date_part('epoch', clock_timestamp()) - date_part('epoch',
			case when j.claimed_by is null then least(j.next_run, w.at) else j.claimed_until end), 0), j.failing_since is not null
		from fetchq.jobs j
			left join (select queue, kind, min(at) as at from fetchq.wakes group by queue, kind) w on (w.queue, w.kind) = (j.queue, j.kind)
		order by j.queue, j.kind`)
}

// maxLate is the most that a job is late: longer is no news, and a duration holds it.
const maxLate = 365 * 24 * time.Hour
