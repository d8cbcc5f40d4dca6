package operations

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
)

// send stores an import.
func (w *world) send(name, format, text string) Operation {
	w.t.Helper()
	o, err := w.Import(w.t.Context(), importOf(name, format), strings.NewReader(text))
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

func importOf(name, format string) ImportRequest {
	return ImportRequest{Queue: name, Format: format, OnConflict: queue.Ignore, Asked: Asked{By: "ci", As: "token"}}
}

func TestAnImportTellsOfEachLineThatIsWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	w.fill("a", "pending", 0, 1)
	o := w.finish(w.send("a", NDJSON, `{"subject":"x","payload":{"n":1},"version":2,"priority":-3,"next_iteration":"+1 hour"}`+"\r\n"+
		"\n"+
		`{"subject":"s000000"}`+"\n"+
		`{"subject":}`+"\n"+
		`{"subject":"y","colour":1}`+"\n"+
		`{"subject":"y","version":40000}`+"\n"+
		`{"subject":"y","payload":"\u0000"}`+"\n"+
		`{"subject":"x"}`+"\n"+
		`{"subject":"`+strings.Repeat("l", 300)+`"}`+"\n"+
		`{"payload":[1e400]}`+"\n"+
		`{"subject":"long","payload":"`+strings.Repeat("p", 1<<21)+`"}`+"\n"+
		`{"subject":"z"}`))
	if o.State != Done || o.Done != 3 || o.Created != 3 || o.LeftAlone != 2 || o.Failed != 6 {
		t.Errorf("%+v, %v", o, *o.Error)
	}
	beginWith(t, w.failuresOf(o), "11 the line is longer than a payload of 1 MiB allows", // as it came
		"4 not JSON: a value is missing", "5 colour there is no such field here", "7 payload: ", "9 subject has 300 bytes; the limit is 255",
		"6 y: version is 40000; 0 to 32767 are allowed")
	x := w.rows(`select payload, version, priority, status, next_iteration > now() + interval '50 minutes' from q_a.docs where subject = 'x'`)
	if diff := cmp.Diff([]string{"map[n:1] 2 -3 0 true"}, x); diff != "" {
		t.Error(diff)
	}
	if n := w.events("a", "entered"); n != 4 || w.tally("a") != "planned 1, pending 3" {
		t.Errorf("%d entered, %s", n, w.tally("a"))
	}
	if n := scanOne[int](w, `select count(*) from fetchq.operation_parts`); n != 0 {
		t.Errorf("%d parts are left", n)
	}
}

func TestAnImportOfCSV(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	o := w.finish(w.send("a", CSV, "\ufeffsubject, priority ,version,next_iteration,payload.url,payload.depth:json\r\n"+
		"one,5,1,+1 day,https://a.example/?a=1,3\r\n"+
		"\"two, \"\"quoted\"\"\",,,,\"a\nb\",\"{\"\"k\"\": [1, 2]}\"\n"+
		",,,,,\n"+
		"three,x,,,,\n"+
		"four,1,,,,nul\n"+
		"five,1\n"+
		"si\"x\",,,,,\n"+
		"\"seven\"x,,,,,\n"+
		"eight,,,soon,,\n"+
		"one,,,,,"))
	if o.State != Done || o.Created != 3 || o.LeftAlone != 1 || o.Failed != 6 {
		t.Errorf("%+v", o)
	}
	beginWith(t, w.failuresOf(o), "6 priority must be a whole number", "7 payload.depth:json: not JSON", "8 the line has 2 fields; the first line names 6 columns",
		"9 a quote stands within a field that does not begin with one", "10 text stands behind the closing quote of a field", "11 next_iteration: ")
	got := w.rows(`select subject, payload::text, version, priority, status from q_a.docs where length(subject) < 30 order by subject collate "C"`)
	if diff := cmp.Diff([]string{
		`one {"url": "https://a.example/?a=1", "depth": 3} 1 5 0`, `two, "quoted" {"url": "a\nb", "depth": {"k": [1, 2]}} 0 0 1`,
	}, got); diff != "" {
		t.Error(diff)
	}
	o = w.finish(w.send("a", CSV, "payload,subject\n\"{\"\"a\"\": 1}\",json\n,empty\n"))
	got = w.rows(`select payload::text from q_a.docs where subject in ('json', 'empty') order by subject`)
	if diff := cmp.Diff([]string{`{}`, `{"a": 1}`}, got); diff != "" || o.Created != 2 {
		t.Errorf("%+v: %s", o, diff)
	}
}

// beginWith wants lines that begin so.
func beginWith(t *testing.T, lines []string, want ...string) {
	t.Helper()
	if len(lines) != len(want) {
		t.Fatalf("%q; %q are wanted", lines, want)
	}
	for i := range want {
		if !strings.HasPrefix(lines[i], want[i]) {
			t.Errorf("line %d is %q; %q is wanted", i, lines[i], want[i])
		}
	}
}

// lines returns text of so many documents without subjects: each that is pushed twice would be one too many.
func lines(n int, payload string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"payload":{"n":%d,"p":"%s"}}`+"\n", i, payload)
	}
	return b.String()
}

// TestAnImportThatIsLeftGoesOnBehindItsLastBatch changes the node at each batch, and loses every second batch.
func TestAnImportThatIsLeftGoesOnBehindItsLastBatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	const n = 3000
	o := w.send("a", NDJSON, lines(n, strings.Repeat("p", 1000)))
	if parts := scanOne[int](w, `select count(*) from fetchq.operation_parts where octet_length(data) <= $1`, partSize); parts < 3 {
		t.Fatalf("%d parts of up to a megabyte", parts)
	}
	for i, over := 0, false; !over; i++ {
		name := fmt.Sprint("node ", i)
		rows, err := w.db.Query(t.Context(), `select `+claimColumns+` from fetchq.operation_claim($1, 1, clock_timestamp() + $2 * interval '11 seconds') o`, name, i)
		if err != nil {
			t.Fatal(err)
		}
		var c claim
		for rows.Next() {
			if c, err = scanClaim(rows); err != nil {
				t.Fatal(err)
			}
		}
		rows.Close()
		here := New(w.db, w.engine, Options{Log: w.Log, Node: name, Now: w.Now})
		if i%2 == 1 {
			dbtest.Replace(t, w.db, "operation_write", `update fetchq.operations set`, `select 1 / 0; update fetchq.operations set`)
			if _, err := here.importBatch(t.Context(), c, 400, false); err == nil {
				t.Fatal("the batch did not break off")
			}
			dbtest.Replace(t, w.db, "operation_write", `select 1 / 0; `, ``)
			continue
		}
		b, err := here.importBatch(t.Context(), c, 400, false)
		if err != nil {
			t.Fatal(err)
		}
		over = b.state == Done
	}
	got := w.get(o)
	if got.Created != n || got.Failed != 0 || w.tally("a") != fmt.Sprint("pending ", n) {
		t.Errorf("%+v; %s", got, w.tally("a"))
	}
	if distinct := scanOne[int](w, `select count(distinct payload ->> 'n') from q_a.docs`); distinct != n {
		t.Errorf("%d of %d lines were pushed", distinct, n)
	}
}

func TestAnImportMayUpdateAndMakesPendingWhatIsPicked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	w.fill("a", "killed", 0, 2)
	w.fill("a", "active", 2, 3)
	r := importOf("a", NDJSON)
	r.OnConflict = queue.Update
	o, err := w.Import(t.Context(), r, strings.NewReader(`{"subject":"s000000","priority":4}`+"\n"+`{"subject":"s000002"}`+"\n"+`{"subject":"new"}`+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if o = w.finish(o); o.Done != 2 || o.Created != 1 || o.LeftAlone != 1 || *o.OnConflict != "update" || *o.Format != NDJSON {
		t.Errorf("%+v", o)
	}
	picked, err := w.engine.Pick(t.Context(), "a", queue.PickParams{Limit: 10})
	if err != nil || len(picked.Documents) != 2 || picked.Documents[0].Subject != "s000000" {
		t.Errorf("%+v, error %v", picked, err)
	}
}

func TestAnEmptyImportIsDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	for _, o := range []Operation{w.send("a", NDJSON, ""), w.send("a", NDJSON, "\n\n"), w.send("a", CSV, "subject\n")} {
		if o = w.finish(o); o.State != Done || o.Done+o.Failed != 0 {
			t.Errorf("%+v", o)
		}
	}
}

// TestALineThatPostgresCannotReadSpoilsNoOther plants a check by which Postgres refuses what the program takes.
func TestALineThatPostgresCannotReadSpoilsNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	w.exec(`alter table q_a.docs add constraint odd check (1 / (case when subject = 'bad' then 0 else 1 end) = 1)`)
	var text strings.Builder
	for i := range 100 {
		if i%40 == 7 {
			text.WriteString(`{"subject":"bad"}` + "\n")
		}
		fmt.Fprintf(&text, `{"subject":"s%d"}`+"\n", i)
	}
	o := w.finish(w.send("a", NDJSON, text.String()))
	if o.Created != 100 || o.Failed != 3 {
		t.Errorf("%+v", o)
	}
	if diff := cmp.Diff([]string{"8 the document cannot be stored by Postgres", "49 the document cannot be stored by Postgres",
		"90 the document cannot be stored by Postgres"}, w.failuresOf(o)); diff != "" {
		t.Error(diff)
	}
}
