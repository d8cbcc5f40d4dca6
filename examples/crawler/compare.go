package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/client"
)

// row is one line of the final table: found is from low to high.
type row struct {
	what             string
	low, high, found int64
}

func (r row) ok() bool { return r.low <= r.found && r.found <= r.high }

func (r row) wanted() string {
	switch r.high {
	case r.low:
		return strconv.FormatInt(r.low, 10)
	case math.MaxInt64:
		return fmt.Sprintf("%d or more", r.low)
	}
	return fmt.Sprintf("%d to %d", r.low, r.high)
}

// exactly is a row whose number must be want.
func exactly(what string, want, found int64) row { return row{what, want, want, found} }

// truth is what must have come of the crawl, from the disk alone.
type truth struct {
	pages, directories, completed, killed, bytes, visits, failures int64
}

func truthOf(all map[string]page) truth {
	var t truth
	for _, p := range all {
		t.pages++
		if p.dir {
			t.directories++
		}
		switch p.fault {
		case always:
			t.killed++
			t.failures += maxAttempts
			continue
		case once:
			t.failures++
		case never:
		}
		t.completed++
		t.visits++
		if p.dir {
			t.visits++ // each list is visited twice
		} else {
			t.bytes += p.size
		}
	}
	return t
}

// found is what the API tells at the end.
type found struct {
	documents, completed, killed, other, missing, unknown, bytes int64
	measured                                                     int64 // bytes, by the handler's own counter
	wrong                                                        int64 // status, visits or size are not those of the page
	planned, orphaned, unexplained                               int64 // error lines
}

// look reads all documents and all error lines through the API, and holds each against its page.
func look(ctx context.Context, c *client.Client, queue string, all map[string]page) (f found, err error) {
	seen := make(map[string]bool, len(all))
	for doc, err := range c.Documents(ctx, queue, client.DocumentFilter{}) {
		if err != nil {
			return f, err
		}
		f.documents++
		switch doc.Status {
		case client.StatusCompleted:
			f.completed++
		case client.StatusKilled:
			f.killed++
		default:
			f.other++
		}
		p, exists := all[doc.Subject]
		if !exists || seen[doc.Subject] {
			f.unknown++
			continue
		}
		seen[doc.Subject] = true
		var v visited
		if err := json.Unmarshal(doc.Payload, &v); err != nil || !fits(p, doc.Status, v) {
			f.wrong++
		}
		if !p.dir {
			f.bytes += v.Bytes
		}
	}
	f.missing = int64(len(all) - len(seen))
	for line, err := range c.Logs(ctx, queue, client.LogFilter{Kind: "error"}) {
		if err != nil {
			return f, err
		}
		var p page
		if line.Subject != nil {
			p = all[*line.Subject]
		}
		switch {
		case line.Message == failsOnPurpose && p.fault != never:
			f.planned++
		case strings.Contains(line.Message, leaseRanOut):
			f.orphaned++
		default:
			f.unexplained++
		}
	}
	return f, nil
}

// measuredBytes reads the counter that the handler adds to; 0 where it never did. It goes on over crawls.
func measuredBytes(ctx context.Context, c *client.Client, queue string) (int64, error) {
	list, err := c.Metrics(ctx, queue)
	if client.CodeOf(err) == "not_found" {
		return 0, nil
	}
	for _, m := range list {
		if m.Name == "bytes" {
			return int64(m.Value), err
		}
	}
	return 0, err
}

// leaseRanOut is in the engine's message for a document whose lease ran out.
const leaseRanOut = "lease"

func fits(p page, status string, v visited) bool {
	switch {
	case p.fault == always:
		return status == client.StatusKilled && v.Visits == 0
	case p.dir:
		return status == client.StatusCompleted && v.Visits == 2
	default:
		return status == client.StatusCompleted && v.Visits == 1 && v.Bytes == p.size
	}
}

// compare makes the table. Where the servers were disturbed, visits may be repeated and leases may run out; what the
// documents are in the end, and that nothing is counted twice, stays exact.
func compare(t truth, f found, counts client.Counts, served, failed int64, disturbed bool) []row {
	rows := []row{
		exactly("documents = pages that exist", t.pages, f.documents),
		exactly("  completed", t.completed, f.completed),
		exactly("  killed (pages that always fail)", t.killed, f.killed),
		exactly("  planned, pending or active", 0, f.other),
		exactly("pages without a document", 0, f.missing),
		exactly("documents without a page", 0, f.unknown),
		exactly("documents unlike their page", 0, f.wrong),
		exactly("bytes of the files", t.bytes, f.bytes),
		exactly("bytes that the workers counted", t.bytes, f.measured),
		exactly("errors without an explanation", 0, f.unexplained),
		exactly("counter planned", 0, counts.Planned),
		exactly("counter pending", 0, counts.Pending),
		exactly("counter active", 0, counts.Active),
		exactly("counter completed", f.completed, counts.Completed),
		exactly("counter killed", f.killed, counts.Killed),
	}
	if disturbed {
		return append(rows,
			row{"visits that succeeded", t.visits, math.MaxInt64, served},
			row{"visits that failed on purpose", t.failures - f.orphaned, math.MaxInt64, failed},
			row{"errors: failed on purpose", t.failures - f.orphaned, failed, f.planned},
			row{"errors: lease ran out", 0, math.MaxInt64, f.orphaned})
	}
	return append(rows,
		exactly("visits that succeeded", t.visits, served),
		exactly("visits that failed on purpose", t.failures, failed),
		exactly("errors: failed on purpose", t.failures, f.planned),
		exactly("errors: lease ran out", 0, f.orphaned))
}

// statuses are the documents' states as stored.
var statuses = []struct {
	name   string
	stored int16
	of     func(client.Counts) int64
}{
	{"planned", 0, func(c client.Counts) int64 { return c.Planned }},
	{"pending", 1, func(c client.Counts) int64 { return c.Pending }},
	{"active", 2, func(c client.Counts) int64 { return c.Active }},
	{"completed", 3, func(c client.Counts) int64 { return c.Completed }},
	{"killed", -1, func(c client.Counts) int64 { return c.Killed }},
}

// count holds the counters against a real count(*) in the database.
func count(ctx context.Context, databaseURL, queue string, counts client.Counts) ([]row, error) {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	table := pgx.Identifier{"q_" + queue, "docs"}.Sanitize()
	var rows []row
	for _, s := range statuses {
		var n int64
		if err := conn.QueryRow(ctx, `select count(*) from `+table+` where status = $1`, s.stored).Scan(&n); err != nil {
			return nil, fmt.Errorf("count the documents: %w", err)
		}
		rows = append(rows, exactly("count(*) of "+s.name+" = its counter", s.of(counts), n))
	}
	return rows, nil
}

// show writes the table and tells whether all rows are right.
func show(w io.Writer, rows []row) (ok bool, err error) {
	ok = true
	tab := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(tab, "\twanted\tfound\t")
	for _, r := range rows {
		mark := "ok"
		if !r.ok() {
			ok, mark = false, "DIFFERS"
		}
		_, _ = fmt.Fprintf(tab, "%s\t%s\t%d\t%s\n", r.what, r.wanted(), r.found, mark)
	}
	return ok, tab.Flush()
}
