package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/charts"
	"github.com/fetchq/server/internal/dbtest"
)

func TestAMarkOfTheCommandLineStandsInTheCharts(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	url := dbtest.URL(t)
	p.set("DATABASE_URL", url)
	r := p.serve()
	p.sql(url, `select fetchq.queue_create('pages')`)
	if out := p.must("mark", "v1.2.3"); out != "" {
		t.Errorf("it printed %q", out)
	}
	p.must("mark", "--queue", "pages", "  parser <2> & more ")
	store := charts.NewStore(dbtest.Open(t, url))
	texts := func(queues ...string) (list []string) {
		t.Helper()
		marks, err := store.Marks(t.Context(), queues, time.Now().Add(-10*time.Minute), time.Now().Add(10*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range marks {
			list = append(list, m.Text)
		}
		return list
	}
	for _, wrong := range []struct {
		args, says string
		code       int
	}{
		{"mark", "text: 1 to 200 bytes are wanted", 2},
		{"mark|v1|v2", "unexpected argument v2", 2},
		{"mark|--colour=red|v1", "unknown flag --colour", 2},
		{"mark|", "text: 1 to 200 bytes are wanted", 2},
		{"mark|  ", "text: 1 to 200 bytes are wanted", 2},
		{"mark|" + strings.Repeat("x", 201), "text: has 201 bytes; the limit is 200", 2},
		{"mark|--queue=nothing|v1", "queue: there is no queue nothing", 1},
	} {
		out, said, code := p.command(strings.Split(wrong.args, "|")...)
		if code != wrong.code || out != "" || strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "fetchq: ") || !strings.Contains(said, wrong.says) {
			t.Errorf("%q: exit code %d, it says %q; %d and %q are right", wrong.args, code, said, wrong.code, wrong.says)
		}
	}
	if got := texts(); !cmp.Equal(got, []string{"v1.2.3"}) {
		t.Errorf("the charts of all queues have %q", got)
	}
	if got := texts("pages"); !cmp.Equal(got, []string{"v1.2.3", "parser <2> & more"}) {
		t.Errorf("the charts of the queue have %q", got)
	}
	r.signal(syscall.SIGINT)
}
