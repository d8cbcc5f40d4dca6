package scrape

import (
	"maps"
	"runtime"
	"slices"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/fetchq/server/internal/queue"
)

// upName is the family that everybody sees, also while the database is away.
const upName = "fetchq_database_up"

// value is a family of one sample, of what the database told.
func value(name, typ, help string, of func(s *standing) float64) family {
	return family{Family: Family{Name: name, Type: typ, Help: help}, all: func(s *standing, add func(float64, ...string)) {
		if s.up {
			add(of(s))
		}
	}}
}

// byKind is a family of maintenance jobs by kind: what put makes of one job after the other.
func byKind(name, help string, put func(so float64, j queue.JobLag) float64) family {
	return family{Family: Family{name, gauge, []string{"kind"}, help}, all: func(s *standing, add func(float64, ...string)) {
		values := map[string]float64{}
		for _, j := range s.jobs {
			values[j.Kind] = put(values[j.Kind], j)
		}
		for _, kind := range slices.Sorted(maps.Keys(values)) {
			add(values[kind], kind)
		}
	}}
}

// ofProgram are the families that are not of one queue, but for those of the pool.
var ofProgram = []family{
	{Family: Family{Name: upName, Type: gauge, Help: "1: the database told how the queues stand; 0: it did not within 3 s, and what depends on it is missing."},
		all: func(s *standing, add func(float64, ...string)) { add(one(s.up)) }},
	{Family: Family{Name: "fetchq_look_seconds", Type: gauge, Help: "How long it took to read what this scrape tells, or to give up."},
		all: func(s *standing, add func(float64, ...string)) { add(s.took.Seconds()) }},
	value("fetchq_queues", gauge, "Queues.", func(s *standing) float64 { return float64(len(s.queues)) }),
	value("fetchq_custom_metrics_left_out", gauge, "Custom metrics that are not told here, for there are too many.", func(s *standing) float64 { return float64(s.kept.LeftOut) }),
	value("fetchq_snapshot_lag_seconds", gauge, "How long the next snapshot of series, timings and custom metrics is overdue.", func(s *standing) float64 { return s.kept.Late.Seconds() }),
	byKind("fetchq_maintenance_jobs", "Maintenance jobs: one of each kind for each queue.", func(sum float64, _ queue.JobLag) float64 { return sum + 1 }),
	byKind("fetchq_maintenance_failing_jobs", "Maintenance jobs whose last run failed.", func(sum float64, j queue.JobLag) float64 { return sum + one(j.Failing) }),
	byKind("fetchq_maintenance_lag_seconds", "How long the job is overdue that is so for longest.", func(most float64, j queue.JobLag) float64 { return max(most, j.Late.Seconds()) }),
	{Family: Family{"fetchq_postgres_transactions_total", counter, []string{"outcome"}, "Transactions of the database, as Postgres counts them."},
		all: func(s *standing, add func(float64, ...string)) {
			if s.up {
				add(float64(s.stat.Commits), "commit")
				add(float64(s.stat.Rollbacks), "rollback")
			}
		}},
	{Family: Family{"fetchq_postgres_blocks_total", counter, []string{"source"}, "Blocks that Postgres found in its memory (hit) or asked the system for (read)."},
		all: func(s *standing, add func(float64, ...string)) {
			if s.up {
				add(float64(s.stat.BlocksHit), "hit")
				add(float64(s.stat.BlocksRead), "read")
			}
		}},
	value("fetchq_postgres_deadlocks_total", counter, "Deadlocks in the database.", func(s *standing) float64 { return float64(s.stat.Deadlocks) }),
	value("fetchq_postgres_temporary_bytes_total", counter, "What was written to temporary files.", func(s *standing) float64 { return float64(s.stat.TemporaryBytes) }),
	value("fetchq_postgres_connections", gauge, "Connections to the database, of all programs.", func(s *standing) float64 { return float64(s.stat.Connections) }),
	value("fetchq_postgres_oldest_transaction_seconds", gauge, "How long the transaction has been open that is open for longest: while it is, vacuum removes nothing that it may see.",
		func(s *standing) float64 { return s.stat.OldestTransaction.Seconds() }),
	value("fetchq_postgres_transaction_id_age", gauge, "Transactions since the oldest row that is not frozen; Postgres stops at 2 billion.", func(s *standing) float64 { return float64(s.stat.TransactionAge) }),
}

// poolFamilies are the families of the pool of connections, and of the program.
var poolFamilies = []Family{
	{"fetchq_build_info", gauge, []string{"goversion", "version"}, "1, with the versions of the program and of Go."},
	{"fetchq_pool_connections", gauge, []string{"state"}, "Connections of this program's pool: used, idle, or opening."},
	{"fetchq_pool_connections_limit", gauge, nil, "Connections that the pool may have, FETCHQ_POOL_SIZE."},
	{"fetchq_pool_acquires_total", counter, nil, "Connections that were taken from the pool."},
	{"fetchq_pool_waits_total", counter, nil, "Of these, those that had to be waited for."},
	{"fetchq_pool_wait_seconds_total", counter, nil, "How long they were waited for together."},
	{"fetchq_pool_canceled_acquires_total", counter, nil, "Waits for a connection that were given up."},
	{"fetchq_pool_connections_opened_total", counter, nil, "Connections that were opened."},
}

// poolValues give the samples of the pool's families by name, and by label where there is one.
var poolValues = map[string]map[string]func(p *pgxpool.Stat) float64{
	"fetchq_pool_connections": {
		"used":    func(p *pgxpool.Stat) float64 { return float64(p.AcquiredConns()) },
		"idle":    func(p *pgxpool.Stat) float64 { return float64(p.IdleConns()) },
		"opening": func(p *pgxpool.Stat) float64 { return float64(p.ConstructingConns()) },
	},
	"fetchq_pool_connections_limit":        {"": func(p *pgxpool.Stat) float64 { return float64(p.MaxConns()) }},
	"fetchq_pool_acquires_total":           {"": func(p *pgxpool.Stat) float64 { return float64(p.AcquireCount()) }},
	"fetchq_pool_waits_total":              {"": func(p *pgxpool.Stat) float64 { return float64(p.EmptyAcquireCount()) }},
	"fetchq_pool_wait_seconds_total":       {"": func(p *pgxpool.Stat) float64 { return p.EmptyAcquireWaitTime().Seconds() }},
	"fetchq_pool_canceled_acquires_total":  {"": func(p *pgxpool.Stat) float64 { return float64(p.CanceledAcquireCount()) }},
	"fetchq_pool_connections_opened_total": {"": func(p *pgxpool.Stat) float64 { return float64(p.NewConnsCount()) }},
}

// pool collects the families of a pool of connections and of the program.
type pool struct {
	stat    func() *pgxpool.Stat
	version string
}

// Describe implements prometheus.Collector.
func (p pool) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(p, to) }

// Collect implements prometheus.Collector.
func (p pool) Collect(to chan<- prometheus.Metric) {
	stat := p.stat()
	for _, f := range poolFamilies {
		desc := prometheus.NewDesc(f.Name, f.Help, f.Labels, nil)
		typ := prometheus.GaugeValue
		if f.Type == counter {
			typ = prometheus.CounterValue
		}
		for label, of := range poolValues[f.Name] {
			var labels []string
			if f.Labels != nil {
				labels = []string{label}
			}
			to <- prometheus.MustNewConstMetric(desc, typ, of(stat), labels...)
		}
		if f.Name == "fetchq_build_info" {
			to <- prometheus.MustNewConstMetric(desc, typ, 1, runtime.Version(), p.version)
		}
	}
}

// programFigures are those of Go, of the process, of the pool and of the build: what needs no database.
func programFigures(opt Options) *prometheus.Registry {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), pool{opt.Pool.Stat, opt.Version})
	return r
}
