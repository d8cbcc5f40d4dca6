package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
)

// Printer writes results as they come.
type Printer interface {
	Print(Result) error
}

// Name says in words what a result is of.
func (r Result) Name() string {
	size := "one"
	if r.Batch > 1 {
		size = thousands(r.Batch)
	}
	with := fmt.Sprintf("%d connections", r.Connections)
	if r.By == ByHTTP {
		with = fmt.Sprintf("%d workers", r.Connections)
	}
	with = strings.TrimSuffix(with, "s") + strings.Repeat("s", min(r.Connections-1, 1))
	what := map[string]string{
		"ingest": "push " + size, "stream": "push as NDJSON, streams of " + size, "drain": "pick " + size + " + complete " + size,
		"discard": "pick " + size + " + drop " + size, "together": "pick " + size + " with the last " + size + " completed in the same call", "mix": "push " + size + " beside pick " + size + " + complete " + size,
		"calendar": "pick " + size + " of repeated visits", "pick": "pick " + size, "empty": "empty pick", "emptied": "empty pick after a drain", "elsewhere": "empty pick of a version without documents",
		"wait": "push to a waiting worker", "due": "mark what becomes due at once",
		"bulk": "retry what was killed while workers pick and complete", "fail": "pick " + size + " + complete four of five, reject the fifth", "idle": thousands(r.Queues) + " idle queues", "polls": "waiting picks", "lists": "pages of lists of " + thousands(r.Backlog) + " documents",
	}[r.Workload]
	if r.By == ByRaw {
		what = "raw: " + map[string]string{"ingest": "insert " + size, "drain": "take " + size + " + update " + size, "discard": "take " + size + " + delete " + size, "rows": "update " + size + " known rows twice", "wait": "insert, notify, take"}[r.Workload]
		if r.Workload == "pick" || strings.HasPrefix(r.Workload, "e") {
			what = "raw: " + strings.Replace(r.Workload, "pick", "take "+size, 1) + map[bool]string{true: ", take", false: ""}[r.Workload != "pick"]
		}
	} else {
		what += " by " + strings.ToUpper(r.By)
	}
	parts := []string{what, with}
	if r.Planned > 0 {
		parts = append(parts, thousands(r.Planned)+" planned")
	}
	if r.Journal == "off" || r.Journal == "all" {
		parts = append(parts, "journal "+r.Journal)
	}
	if r.MaxActive > 0 {
		parts = append(parts, thousands(r.MaxActive)+" active at most")
	}
	if r.Hold {
		parts = append(parts, "a snapshot held")
	}
	return strings.Join(parts, ", ")
}

// thousands writes a number with commas.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// JSON prints one object for each result.
func JSON(w io.Writer) Printer { return jsonLines{json.NewEncoder(w)} }

type jsonLines struct{ *json.Encoder }

// Print writes a line.
func (p jsonLines) Print(r Result) error { return p.Encode(r) }

// Table prints a table for people, a line as soon as its result is there.
func Table(w io.Writer) Printer { return &table{out: w} }

type table struct {
	out    io.Writer
	headed bool
}

// line prints cells of fixed widths: the first one's is that of most names, the others' that of their heads.
func (t *table) line(cells []string) error {
	text := fmt.Sprintf("%-72s", cells[0])
	for i, c := range cells[1:] {
		text += fmt.Sprintf("  %*s", max(len(columns[i+1]), 8), c)
	}
	_, err := fmt.Fprintln(t.out, text)
	return err
}

// Print writes a row, and the head before the first one.
func (t *table) Print(r Result) error {
	if !t.headed {
		t.headed = true
		if err := t.line(columns); err != nil {
			return err
		}
	}
	err := t.line(r.cells())
	if more := r.more(); more != "" && err == nil {
		_, err = fmt.Fprintln(t.out, "  "+more)
	}
	for _, l := range r.Lists {
		if err == nil {
			_, err = fmt.Fprintf(t.out, "  %-50s %5d rows  p50 %8.2f ms  p95 %8.2f ms  max %8.2f ms\n", l.Name, l.Rows, l.P50, l.P95, l.Max)
		}
	}
	return err
}

// more is what only some workloads measure, in words.
func (r Result) more() string {
	var parts []string
	if r.Pushed > 0 {
		parts = append(parts, thousands(int(r.Pushed))+map[bool]string{true: " drained meanwhile", false: " pushed meanwhile"}[r.Workload == "due" || r.Workload == "bulk"])
	}
	if r.Kept != nil {
		parts = append(parts, fmt.Sprintf("workers kept %.2f of their rate, %s/s", *r.Kept, thousands(int(r.Alone))))
	}
	if r.Cancel != nil {
		parts = append(parts, fmt.Sprintf("a cancel took %.0f ms", 1000**r.Cancel))
	}
	if r.Statements != nil {
		parts = append(parts, fmt.Sprintf("%.1f transactions/s", *r.Statements))
	}
	if r.Program != nil {
		parts = append(parts, fmt.Sprintf("program %.1f %% of a core", 100**r.Program))
	}
	if r.Postgres != nil {
		parts = append(parts, fmt.Sprintf("Postgres %.1f %% of a core", 100**r.Postgres))
	}
	if r.Open != nil {
		parts = append(parts, fmt.Sprintf("%d connections to the database", *r.Open))
	}
	if r.Lag != nil {
		parts = append(parts, fmt.Sprintf("folded counters at most %.1f s behind", *r.Lag))
	}
	return strings.Join(parts, ", ")
}

// Markdown prints the table of docs/performance.md.
func Markdown(w io.Writer) Printer {
	return &markdown{out: w}
}

type markdown struct {
	out    io.Writer
	headed bool
}

// Print writes a row, and the head before the first one.
func (p *markdown) Print(r Result) error {
	if !p.headed {
		p.headed = true
		if _, err := fmt.Fprintf(p.out, "| %s |\n|---|%s\n", strings.Join(columns, " | "), strings.Repeat("---:|", len(columns)-1)); err != nil {
			return err
		}
	}
	row := r.cells()
	if more := r.more(); more != "" {
		row[0] += " (" + more + ")"
	}
	_, err := fmt.Fprintf(p.out, "| %s |\n", strings.Join(row, " | "))
	if len(r.Lists) > 0 && err == nil {
		p.headed = false // another table comes
		_, err = fmt.Fprint(p.out, "\n| list | rows | p50 ms | p95 ms | max ms |\n|---|---:|---:|---:|---:|\n")
	}
	for _, l := range r.Lists {
		if err == nil {
			_, err = fmt.Fprintf(p.out, "| %s | %d | %.1f | %.1f | %.1f |\n", l.Name, l.Rows, l.P50, l.P95, l.Max)
		}
	}
	return err
}

// Describe says on what a benchmark runs: the machine and the server's settings that matter.
func (b *Bench) Describe(ctx context.Context) (string, error) {
	var version, commit, buffers, wal string
	err := b.db.QueryRow(ctx, `select current_setting('server_version'), current_setting('synchronous_commit'), current_setting('shared_buffers'),
		current_setting('max_wal_size')`).Scan(&version, &commit, &buffers, &wal)
	return fmt.Sprintf("%d cores, %s/%s, %s; Postgres %s, synchronous_commit %s, shared_buffers %s, max_wal_size %s.",
		runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), version, commit, buffers, wal), err
}
