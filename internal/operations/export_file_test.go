package operations

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

// export writes a file.
func (w *world) export(r ExportRequest) string {
	w.t.Helper()
	var file bytes.Buffer
	if err := w.Export(w.t.Context(), r, &file, func() error { return nil }); err != nil {
		w.t.Fatal(err)
	}
	return file.String()
}

func TestAnExportIsWhatAnImportTakes(t *testing.T) {
	t.Parallel()
	for _, format := range []string{NDJSON, CSV} {
		w := newWorld(t, "a", "b")
		w.exec(`select fetchq.doc_push_many('a', array['x', 'line' || chr(10) || '"2"', 'ü,;'], array['{"big": 123456789012345678901234567890}', '[1, "a,b"]', '"text"']::jsonb[],
			array[0, 3, 7], array[-5, 0, 5], p_dates => array_fill('2030-01-01T00:00:00.123456Z'::timestamptz, array[3]))`)
		w.exec(`update q_a.docs set payload = jsonb_build_object('long', (select string_agg(md5(i::text), '') from generate_series(1, 1000) i)) where subject = 'x'`)
		file := w.export(ExportRequest{Queue: "a", Format: format, Bare: true})
		o, err := w.Import(t.Context(), ImportRequest{Queue: "b", Format: format, OnConflict: queue.Ignore, Asked: Asked{By: "ann", As: "user"}}, strings.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		if o = w.finish(o); o.Done != 3 || o.Failed != 0 {
			t.Errorf("%+v %v of\n%s", o, w.failuresOf(o), file)
		}
		const sql = `select subject, payload::text, version, priority, next_iteration from q_%s.docs order by subject`
		if diff := cmp.Diff(w.rows(fmt.Sprintf(sql, "a")), w.rows(fmt.Sprintf(sql, "b"))); diff != "" {
			t.Errorf("%s (-exported +imported):\n%s", format, diff)
		}
	}
}

func TestAnExportHasWhatIsKnownOfDocuments(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	w.fill("a", "active", 0, 2)
	w.fill("a", "killed", 2, 1204)
	lines := strings.Split(strings.TrimSpace(w.export(ExportRequest{Queue: "a", Format: NDJSON})), "\n")
	var first, last map[string]any
	if len(lines) != 1204 || json.Unmarshal([]byte(lines[0]), &first) != nil || json.Unmarshal([]byte(lines[1203]), &last) != nil {
		t.Fatalf("%d lines, the first is %s", len(lines), lines[0])
	}
	if first["subject"] != "s000000" || first["status"] != "active" || first["worker"] != "host-7" || first["attempts"] != 1.0 || first["picked_at"] == nil || first["created_at"] == nil {
		t.Errorf("%v", first)
	}
	if last["subject"] != "s001203" || last["status"] != "killed" || last["last_iteration"] == nil || last["worker"] != nil {
		t.Errorf("%v", last)
	}
	killed := queue.Killed
	records, err := csv.NewReader(strings.NewReader(w.export(ExportRequest{Queue: "a", Format: CSV, Filter: queue.DocFilter{Status: &killed, SubjectPrefix: "s0000"}}))).ReadAll()
	if err != nil || len(records) != 99 || !slices.Equal(records[0], exportColumns) || records[1][0] != "s000002" || records[1][1] != "killed" {
		t.Errorf("%d records, %v", len(records), err)
	}
}

func TestASpreadsheetFindsNoFormulasInAnExport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	hostile := []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"}
	w.exec(`select fetchq.doc_push_many('a', $1, array_fill('"=1"'::jsonb, array[7]), p_priorities => array_fill(-3, array[7]))`, hostile)
	w.exec(`select count(*) from fetchq.doc_pick_many('a', 0, 100, '1 hour', '=cmd|x!A0')`)
	records, err := csv.NewReader(strings.NewReader(w.export(ExportRequest{Queue: "a", Format: CSV}))).ReadAll()
	if err != nil || len(records) != 8 {
		t.Fatal(len(records), err)
	}
	for _, r := range records[1:] {
		for i, field := range r {
			if name := exportColumns[i]; field != "" && strings.ContainsRune("=+-@\t\r\n", rune(field[0])) && name != "priority" {
				t.Errorf("%s is %q", name, field)
			}
		}
	}
	var d exported
	lines := strings.Split(w.export(ExportRequest{Queue: "a", Format: NDJSON}), "\n")
	if err := json.Unmarshal([]byte(lines[0]), &d); err != nil || !slices.Contains(hostile, d.Subject) {
		t.Errorf("NDJSON changes the subject to %q, %v", d.Subject, err)
	}
}

// TestAnExportHasEachDocumentThatStoodOnce changes and drops others while a file is written.
func TestAnExportHasEachDocumentThatStoodOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	w.fill("a", "pending", 0, 6000)
	var file bytes.Buffer
	pages := 0
	err := w.Export(t.Context(), ExportRequest{Queue: "a", Format: NDJSON, Bare: true}, &file, func() error {
		pages++
		var acts []queue.Resolution
		for range 200 { // the even ones stay
			n := 2*rand.IntN(3000) + 1 //nolint:gosec // a test's choice
			acts = append(acts, queue.Resolution{Subject: fmt.Sprintf("s%06d", n), Action: []string{"drop", "kill", "complete"}[n%3]})
		}
		_, err := w.engine.Act(t.Context(), "a", acts)
		if n := scanOne[int](w, `select count(*) from pg_stat_activity where datname = current_database() and state = 'idle in transaction'`); n > 0 {
			t.Errorf("%d snapshots are held while the file waits for its reader", n)
		}
		return err
	})
	if err != nil || pages < 6 {
		t.Fatal(pages, err)
	}
	seen := map[string]int{}
	for line := range strings.Lines(file.String()) {
		var d exported
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatal(err)
		}
		seen[d.Subject]++
	}
	for i := 0; i < 6000; i += 2 {
		if s := fmt.Sprintf("s%06d", i); seen[s] != 1 {
			t.Errorf("%s stands in the file %d times", s, seen[s])
		}
	}
}

func TestAnExportEndsWithItsReader(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	w.fill("a", "pending", 0, 3000)
	ctx, cancel := context.WithCancel(t.Context())
	var file bytes.Buffer
	err := w.Export(ctx, ExportRequest{Queue: "a", Format: NDJSON}, &file, func() error { cancel(); return nil })
	if n := strings.Count(file.String(), "\n"); err == nil || n != 1000 {
		t.Errorf("%d lines, %v", n, err)
	}
	gone := errors.New("the reader went away")
	if err := w.Export(t.Context(), ExportRequest{Queue: "a", Format: CSV}, failing{gone}, nil); !errors.Is(err, gone) {
		t.Error(err)
	}
	for _, r := range []ExportRequest{{Queue: "a", Format: "xml"}, {Queue: "a", Format: CSV, Filter: queue.DocFilter{Due: queue.Span{From: new(time.Now())}}}} {
		if err := w.Export(t.Context(), r, &file, nil); errs.Of(err) != errs.Invalid {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if err := w.Export(t.Context(), ExportRequest{Queue: "none", Format: CSV}, &file, nil); errs.Of(err) != errs.NotFound {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
