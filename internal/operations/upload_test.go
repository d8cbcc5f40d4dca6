package operations

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

// TestAQuoteThatIsNotClosedSpoilsOneLine has a quote too few, and a record without end: the lines behind are read.
func TestAQuoteThatIsNotClosedSpoilsOneLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	long := "l," + strings.Repeat("x", maxCSV+10) + "\n"
	for name, tt := range map[string]struct {
		text    string
		created int64
		bad     []string // lines
	}{
		"at the end":            {"a,1,\n\"b,2,\nc,3,\n", 2, []string{"3 "}},
		"the last line":         {"a,1,\nb,2,\n\"c,3,", 2, []string{"4 "}},
		"before much":           {"\"a,1,\n" + strings.Repeat("b,2,"+strings.Repeat("x", 1000)+"\n", maxCSV/1000) + "c,3,\n", 2, []string{"2 "}},
		"before a long line":    {"\"a,1,\nb,2,\n" + long + "c,3,\nd,x,\n", 2, []string{"2 ", "4 ", "6 "}},
		"a long line by itself": {"a,1,\n" + long + "c,3,\nd,x,\n", 2, []string{"3 ", "5 "}},
	} {
		prefix := strings.ReplaceAll(name, " ", "")
		text := "subject,priority,payload.p\n" + strings.NewReplacer("a,", prefix+"a,", "b,", prefix+"b,", "c,", prefix+"c,").Replace(tt.text)
		o := w.finish(w.send("a", CSV, text))
		got := w.failuresOf(o)
		same := len(got) == len(tt.bad)
		for i := range tt.bad {
			found := false
			for _, line := range got {
				found = found || strings.HasPrefix(line, tt.bad[i])
			}
			same = same && found
		}
		if o.Created != tt.created || !same {
			t.Errorf("%s: %d created, %d left alone; %.200q", name, o.Created, o.LeftAlone, got)
		}
	}
}

func TestWhatCannotBeImportedIsRefusedBeforeALineIsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	good := importOf("a", CSV)
	for name, tt := range map[string]struct {
		r     ImportRequest
		text  string
		code  errs.Code
		field string
	}{
		"no queue":          {importOf("b", CSV), "subject\nx\n", errs.NotFound, "queue"},
		"no name":           {importOf("B", NDJSON), "{}\n", errs.NotFound, "queue"},
		"no format":         {importOf("a", "xml"), "<x/>", errs.Invalid, "format"},
		"no policy":         {ImportRequest{Queue: "a", Format: NDJSON, OnConflict: "replace"}, "{}", errs.Invalid, "on_conflict"},
		"nothing":           {good, "", errs.Invalid, "columns"},
		"an empty line":     {good, "\nsubject\n", errs.Invalid, "columns"},
		"an unknown column": {good, "subject,colour\n", errs.Invalid, "columns"},
		"one column twice":  {good, "subject,subject\n", errs.Invalid, "columns"},
		"one member twice":  {good, "payload.a,payload.a:json\n", errs.Invalid, "columns"},
		"both payloads":     {good, "payload,payload.a\n", errs.Invalid, "columns"},
		"no member":         {good, "payload.\n", errs.Invalid, "columns"},
		"no member as JSON": {good, "payload.:json\n", errs.Invalid, "columns"},
		"many columns":      {good, strings.Repeat("payload.a,", 200) + "subject\n", errs.Invalid, "columns"},
		"an open quote":     {good, "\"subject\n", errs.Invalid, "columns"},
		"no text":           {good, "payload.\xff\n", errs.Invalid, "columns"},
	} {
		_, err := w.Import(t.Context(), tt.r, strings.NewReader(tt.text))
		checkRefusal(t, name, err, tt.code, tt.field)
	}
	if n := scanOne[int](w, `select count(*) from fetchq.operations`); n != 0 {
		t.Errorf("%d operations were made", n)
	}
}

// breaks is text that ends with an error.
type breaks struct {
	io.Reader
	err error
}

func (b breaks) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = b.err
	}
	return n, err
}

func TestAnUploadThatBreaksOffImportsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	text := lines(2000, strings.Repeat("p", 1000))
	_, err := w.Import(t.Context(), importOf("a", NDJSON), breaks{strings.NewReader(text), errors.New("gone")})
	if errs.Of(err) != errs.Malformed || !strings.Contains(err.Error(), "in line 2001; nothing is imported") {
		t.Errorf("%v", err)
	}
	// A node dies while lines come.
	o, _, made, err := w.beginImport(t.Context(), "a", NDJSON, nil, "ignore", "ci", "token", nil, nil, nil)
	if err != nil || !made {
		t.Fatal(err)
	}
	w.exec(`select fetchq.import_store($1, 0, 1, '{}')`, o.ID)
	if got := w.claim("n1", 3600); got != "" {
		t.Errorf("%q is claimed while its lines come", got)
	}
	w.exec(`select fetchq.operations_tidy(p_now => clock_timestamp() + interval '4 minutes')`)
	if got := w.get(o); got.State != Uploading {
		t.Errorf("after four minutes it is %s", got.State)
	}
	w.exec(`select fetchq.operations_tidy(p_now => clock_timestamp() + interval '6 minutes')`)
	if got := w.get(o); got.State != Failed || got.Error == nil {
		t.Errorf("after six minutes: %+v", got)
	}
	for more := true; more; {
		if more, err = w.tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := scanOne[int](w, `select count(*) from fetchq.operation_parts`); n != 0 || w.tally("a") != "" {
		t.Errorf("%d parts are left; %s", n, w.tally("a"))
	}
	_, err = w.db.Exec(t.Context(), `select * from fetchq.import_store($1, 1, 1, '{}')`, o.ID)
	if err == nil {
		t.Error("a line that comes too late is stored")
	}
}

func TestImportsStoreNoMoreThanTheLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a", "b")
	w.ImportLimit = 3 << 20
	text := lines(2000, strings.Repeat("p", 1000)) // 2 MB
	first := w.send("a", NDJSON, text)
	_, err := w.Import(t.Context(), importOf("b", NDJSON), strings.NewReader(text+text))
	if errs.Of(err) != errs.Overloaded && errs.Of(err) != errs.TooLarge {
		t.Errorf("%v", err)
	}
	_, err = w.Import(t.Context(), importOf("b", NDJSON), strings.NewReader(text))
	if errs.Of(err) != errs.Overloaded {
		t.Errorf("two that are too much together: %v", err)
	}
	w.finish(first)
	_, err = w.Import(t.Context(), importOf("b", NDJSON), strings.NewReader(text+text))
	if errs.Of(err) != errs.TooLarge {
		t.Errorf("one that is too much alone: %v", err)
	}
	if o := w.finish(w.send("b", NDJSON, text)); o.Created != 2000 {
		t.Errorf("%+v", o)
	}
}

func TestACanceledUploadEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	r, feed := io.Pipe()
	go func() {
		text := lines(100, strings.Repeat("p", 20_000))
		for range 3 {
			if _, err := io.WriteString(feed, text); err != nil {
				return
			}
		}
		for _, o := range w.states() {
			if _, err := w.Cancel(context.WithoutCancel(w.t.Context()), o.ID, "me"); err != nil {
				t.Error(err)
			}
		}
		for range 3 {
			if _, err := io.WriteString(feed, text); err != nil {
				return
			}
		}
		feed.Close()
	}()
	_, err := w.Import(t.Context(), importOf("a", NDJSON), r)
	r.Close()
	if errs.Of(err) != errs.NotFound {
		t.Errorf("%v", err)
	}
	if got := w.states(); len(got) != 1 || got[0].State != Canceled {
		t.Errorf("%+v", got)
	}
}

// states lists all operations.
func (w *world) states() []Operation {
	list, _, err := w.List(context.WithoutCancel(w.t.Context()), ListParams{Limit: queue.MaxList})
	if err != nil {
		w.t.Error(err)
	}
	return list
}

// slowly is text of which each line takes a time: what is done then is told.
type slowly struct {
	lines int
	each  func()
}

func (s *slowly) Read(p []byte) (int, error) {
	if s.lines == 0 {
		return 0, io.EOF
	}
	s.lines--
	s.each()
	return copy(p, "{}\n"), nil
}
