package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Who is measured.
const (
	raw      = "raw limit"
	bySQL    = "Fetchq by SQL"
	byHTTP   = "Fetchq by HTTP"
	river_   = "river"
	graphile = "graphile-worker"
	boss     = "pg-boss"
	fetchq4  = "Fetchq 4"
)

var systems = []string{raw, bySQL, byHTTP, river_, graphile, boss, fetchq4}

func known(name string) bool {
	return name == "fetchq" || name == river_ || name == graphile || name == boss || name == fetchq4
}

// figure is what one system did of one workload; fields that the workload does not have are 0.
type figure struct {
	Figure string  `json:"figure"`
	Rate   float64 `json:"rate"` // a second
	P50    float64 `json:"p50"`  // milliseconds
	P99    float64 `json:"p99"`
	total  int
}

// results are the figures by workload and system.
type results map[string]map[string]figure

func (r results) add(system string, f figure) {
	if r[f.Figure] == nil {
		r[f.Figure] = map[string]figure{}
	}
	r[f.Figure][system] = f
}

// The workloads. The Node programs use the same names.
const (
	ingest = "ingest" // 1,000 a call, 8 calls at once
	unique = "unique" // the same, each job under a unique key
	single = "single" // one a commit, 8 connections
	drain  = "drain"  // at the system's best batch
	gone   = "gone"   // as drain, each removed when it is done, for those that can
	one    = "one"    // one at a time, 8 workers
	held   = "held"   // as drain, with an old snapshot held
	pick   = "pick"   // one pick
	later  = "later"  // one pick, with many planned jobs
	empty  = "empty"  // one pick that finds nothing, with many planned jobs
	wait   = "wait"   // from the push to the worker that waited
)

// rows are the lines of the table.
func rows() []struct{ workload, what, kind string } {
	return []struct{ workload, what, kind string }{
		{ingest, "bulk ingest, 1,000 a call, documents/s", "rate"},
		{unique, "the same, each under a unique key, documents/s", "rate"},
		{single, "ingest one a commit, 8 connections, documents/s", "rate"},
		{drain, "drain at its best batch, documents/s", "rate"},
		{held, "the same with an old snapshot held, documents/s", "rate"},
		{gone, "drain, each document removed when it is done, documents/s", "rate"},
		{one, "drain one at a time, 8 workers, documents/s", "rate"},
		{pick, "pick of one, p50 ms", "p50"}, {pick, "pick of one, p99 ms", "p99"},
		{later, fmt.Sprintf("pick of one, %s planned, p50 ms", thousands(float64(*planned))), "p50"},
		{later, fmt.Sprintf("pick of one, %s planned, p99 ms", thousands(float64(*planned))), "p99"},
		{empty, fmt.Sprintf("empty pick, %s planned, p50 ms", thousands(float64(*planned))), "p50"},
		{empty, fmt.Sprintf("empty pick, %s planned, p99 ms", thousands(float64(*planned))), "p99"},
		{wait, "push to waiting worker, p50 ms", "p50"}, {wait, "push to waiting worker, p99 ms", "p99"},
	}
}

// of returns one number of a figure.
func (f figure) of(kind string) float64 {
	return map[string]float64{"rate": f.Rate, "p50": f.P50, "p99": f.P99}[kind]
}

// better is how many times as good a is as b: of rates the higher is, of times the lower.
func better(kind string, a, b float64) float64 {
	if kind == "rate" {
		return a / b
	}
	return b / a
}

// table is Markdown: each figure, and in brackets its ratio to the raw limit and to the best of the others.
func (r results) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| | %s |\n|---|%s\n", strings.Join(systems, " | "), strings.Repeat("---:|", len(systems)))
	for _, row := range rows() {
		best := 0.0
		for _, peer := range []string{river_, graphile, boss} {
			if v := r[row.workload][peer].of(row.kind); v > 0 && (best == 0 || better(row.kind, v, best) > 1) {
				best = v
			}
		}
		limit := r[row.workload][raw].of(row.kind)
		cells := []string{row.what}
		for _, s := range systems {
			v := r[row.workload][s].of(row.kind)
			cell := "–"
			if v > 0 {
				cell = number(row.kind, v) + " (" + ratio(row.kind, v, limit) + ", " + ratio(row.kind, v, best) + ")"
			}
			cells = append(cells, cell)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.String()
}

func ratio(kind string, v, of float64) string {
	if of == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", better(kind, v, of))
}

func number(kind string, v float64) string {
	if kind == "rate" {
		return thousands(v)
	}
	return fmt.Sprintf("%.2f", v)
}

// thousands writes a number with commas.
func thousands(v float64) string {
	text := strconv.FormatFloat(v, 'f', 0, 64)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// write puts text between the two marks of a file.
func write(path, text string) error {
	const begin, end = "<!-- peers -->\n", "<!-- /peers -->"
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok1 := strings.Cut(string(old), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		return fmt.Errorf("%s lacks the lines <!-- peers --> and <!-- /peers -->", path)
	}
	return os.WriteFile(path, []byte(before+begin+"\n"+text+"\n"+end+after), 0o644) //nolint:gosec // a document
}
