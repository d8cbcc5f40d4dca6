package metrics

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
)

// Name is a metric with its type: counter, gauge or timing.
type Name struct {
	Name, Type string
}

// MaxNames is how many names a list has at most.
const MaxNames = 1_000

// Names returns the custom metrics of some queues by name, each once; no queue: those that stand for all queues. Where queues have a
// name for different types, the oldest says which.
func (s *Store) Names(ctx context.Context, queues []string) ([]Name, error) {
	if len(queues) == 0 {
		queues = []string{""}
	}
	rows, err := s.db.Query(ctx, `select distinct on (name) name, type from fetchq.metrics where queue = any ($1) and id > $2 order by name, id limit $3`,
		queues, len(core), MaxNames)
	if err != nil {
		return nil, database.Error("list the metrics", err)
	}
	var list []Name
	var name string
	var typ int16
	_, err = pgx.ForEachRow(rows, []any{&name, &typ}, func() error {
		list = append(list, Name{name, typeNames[typ]})
		return nil
	})
	return list, database.Error("list the metrics", err)
}
