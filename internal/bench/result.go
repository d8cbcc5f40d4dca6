package bench

import (
	"fmt"
	"math"
)

// Result is what one workload did; --json prints it as one object. What a workload does not measure is null.
type Result struct {
	Workload    string     `json:"workload"`
	By          string     `json:"by"`
	Batch       int        `json:"batch"`
	Connections int        `json:"connections"`
	Payload     int        `json:"payload_bytes"`
	Backlog     int        `json:"backlog"`
	Planned     int        `json:"planned"`
	Queues      int        `json:"queues"`
	Hold        bool       `json:"held_snapshot"`
	Journal     string     `json:"journal"`
	MaxActive   int        `json:"max_active"`
	Seconds     float64    `json:"seconds"`
	Documents   int64      `json:"documents"`
	Pushed      int64      `json:"pushed"` // beside the documents, by the workload mix; drained meanwhile, by due and bulk
	Rate        float64    `json:"documents_per_second"`
	OfRaw       *float64   `json:"of_raw"` // ratio to the raw limit of the same run: of rates, or of the limit's median to this one
	Calls       int64      `json:"calls"`
	P50         float64    `json:"p50_ms"`
	P95         float64    `json:"p95_ms"`
	P99         float64    `json:"p99_ms"`
	Max         float64    `json:"max_ms"`
	WAL         *float64   `json:"wal_bytes_per_document"`
	Commits     *float64   `json:"commits_per_document"`
	DeadDocs    *int64     `json:"dead_rows_in_docs"`
	DeadDeltas  *int64     `json:"dead_rows_in_deltas"`
	Statements  *float64   `json:"commits_per_second"`
	Program     *float64   `json:"program_cores"`
	Postgres    *float64   `json:"postgres_cores"`
	Open        *int       `json:"server_connections"`
	Alone       float64    `json:"workers_alone"`     // by bulk: their rate before, documents a second
	Kept        *float64   `json:"workers_kept"`      // of that
	Cancel      *float64   `json:"cancel_s"`          // that a cancel took
	Lists       []ListTime `json:"lists,omitempty"`   // by lists
	Lag         *float64   `json:"counters_behind_s"` // at most: the folded ones, which pages over many queues show
}

func newResult(o Options, m measured, c cost) Result {
	r := Result{
		Workload: o.Workload, By: o.By, Batch: o.Batch, Connections: o.Connections, Payload: o.Payload, Backlog: o.Backlog, Planned: o.Planned,
		Queues: o.Queues, Hold: o.Hold, Journal: o.Journal, MaxActive: o.MaxActive, Seconds: m.took.Seconds(), Documents: m.documents, Pushed: m.pushed,
		Calls: m.times.count, P50: m.times.at(0.5), P95: m.times.at(0.95), P99: m.times.at(0.99), Max: m.times.most(),
		Statements: m.extra.commits, Program: m.extra.program, Postgres: m.extra.postgres, Open: m.extra.connections, Lag: m.extra.lag, Kept: m.extra.kept, Alone: m.extra.alone, Cancel: m.extra.cancel, Lists: m.extra.lists,
	}
	if m.took > 0 {
		r.Rate = float64(m.documents) / m.took.Seconds()
	}
	if !c.known {
		return r
	}
	r.DeadDocs, r.DeadDeltas = &c.deadDocs, &c.deadDeltas
	if n := float64(m.documents + m.pushed); n > 0 {
		wal, commits := c.wal/n, c.commits/n
		r.WAL, r.Commits = &wal, &commits
	}
	return r
}

// Against holds the result against the raw limit of the same run.
func (r *Result) Against(raw Result) {
	w, err := find(r.Workload)
	ratio := r.Rate / raw.Rate
	if err == nil && w.latency {
		ratio = raw.P50 / r.P50
	}
	if !math.IsNaN(ratio) && !math.IsInf(ratio, 0) {
		r.OfRaw = &ratio
	}
}

// RawOf returns the options of the raw limit that a result of these options is held against; false where there is none. Options
// whose limit is the same have the same one. It has eight connections at most: with more, two cores do no more.
func RawOf(o Options) (Options, bool) {
	w, err := find(o.Workload)
	if err != nil || w.raw == "" || o.By == ByRaw {
		return o, false
	}
	if w.name == "stream" {
		o.Batch = maxBatch
	}
	o.Workload, o.By, o.Connections, o.NoMarks, o.Journal, o.MaxActive = w.raw, ByRaw, min(o.Connections, 8), false, "errors", 0
	return o, true
}

// columns are the heads of a table of results.
var columns = []string{"workload", "documents/s", "of the raw limit", "p50 ms", "p95 ms", "p99 ms", "max ms", "WAL bytes/doc", "commits/doc", "dead docs", "dead deltas"}

// cells is the row of a result in such a table.
func (r Result) cells() []string {
	ratio := "–"
	if r.By == ByRaw {
		ratio = "1 (the limit)"
	} else if r.OfRaw != nil {
		ratio = fmt.Sprintf("%.2f", *r.OfRaw)
	}
	rate := "–"
	if r.Documents > 0 {
		rate = fmt.Sprintf("%.0f", r.Rate)
	}
	row := []string{r.Name(), rate, ratio}
	for _, ms := range []float64{r.P50, r.P95, r.P99, r.Max} {
		cell := "–"
		if r.Calls > 0 {
			cell = fmt.Sprintf("%.2f", ms)
		}
		row = append(row, cell)
	}
	return append(row, number(r.WAL, "%.0f"), number(r.Commits, "%.3f"), number(r.DeadDocs, "%d"), number(r.DeadDeltas, "%d"))
}

func number[T any](n *T, format string) string {
	if n == nil {
		return "–"
	}
	return fmt.Sprintf(format, *n)
}
