package web_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/queue"
)

func TestAQueueIsRenamedAndClonedFromItsSettings(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages", "taken")
	s.push("pages", "a", "b")
	b := s.as(auth.RoleAdmin)
	page := b.get("/queues/pages/settings").must(t, http.StatusOK)
	for _, what := range []string{"rename", "clone", "move"} {
		if n := page.Find(`main a[href="/queues/pages/` + what + `"]`).Length(); n != 1 {
			t.Errorf("the settings lead %d times to %s", n, what)
		}
	}
	for _, what := range []string{"rename", "clone"} {
		b.get("/queues/pages/"+what).must(t, http.StatusOK)
		for to, says := range map[string]string{"taken": "taken", "No Name": "1 to 40 of a-z", "": "1 to 40 of a-z"} {
			p := b.post("/queues/pages/"+what, url.Values{"to": {to}}).must(t, http.StatusUnprocessableEntity)
			if said := p.says(`[role="alert"]`); !strings.Contains(said, says) {
				t.Errorf("%s to %q answers %q", what, to, said)
			}
			if kept, _ := p.Find(`input[name="to"]`).Attr("value"); kept != to {
				t.Errorf("%s: what was typed is %q then", what, kept)
			}
		}
	}
	p := b.post("/queues/pages/clone", url.Values{"to": {"copy"}}).must(t, http.StatusSeeOther)
	if p.to() != "/queues/copy/settings" {
		t.Errorf("it leads to %s", p.to())
	}
	if q, err := s.engine.Get(t.Context(), "copy"); err != nil || q.Counts != (queue.Counts{}) {
		t.Errorf("the copy: %+v, %v", q, err)
	}
	p = b.post("/queues/pages/rename", url.Values{"to": {" feeds "}}).must(t, http.StatusSeeOther)
	if p.to() != "/queues/feeds/settings" {
		t.Errorf("it leads to %s", p.to())
	}
	if said := b.get(p.to()).must(t, http.StatusOK).says(".toast"); !strings.Contains(said, "pages is feeds now.") {
		t.Errorf("it says %q", said)
	}
	if q, err := s.engine.Get(t.Context(), "feeds"); err != nil || q.Counts.Pending != 2 {
		t.Errorf("renamed: %+v, %v", q, err)
	}
	if said := b.get("/queues/pages").must(t, http.StatusNotFound).says("main"); !strings.Contains(said, "it is feeds now") {
		t.Errorf("under its old name the queue says %q", said)
	}
}

func TestAQueueIsMovedToAnotherTablespaceWhileItIsPaused(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages")
	b := s.as(auth.RoleAdmin)
	var space string
	if err := s.db.QueryRow(t.Context(), `select 'fast_' || current_database()`).Scan(&space); err != nil {
		t.Fatal(err)
	}
	conn, err := s.db.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{`set allow_in_place_tablespaces = on`, `create tablespace ` + space + ` location ''`} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	conn.Release()
	t.Cleanup(func() {
		for _, sql := range []string{`drop schema if exists q_pages cascade`, `drop tablespace ` + space} {
			if _, err := s.db.Exec(context.WithoutCancel(t.Context()), sql); err != nil {
				t.Error(err)
			}
		}
	})

	ask := b.get("/queues/pages/move").must(t, http.StatusOK)
	if ask.Find(`input[name="to"]`).Length() != 0 || !strings.Contains(ask.says(`[role="alert"]`), "Pause it first") {
		t.Errorf("of a queue that is not paused the form asks: %s", ask.says("form"))
	}
	b.post("/queues/pages/move", url.Values{"to": {space}}).must(t, http.StatusUnprocessableEntity)
	b.post("/queues/pause", url.Values{"queue": {"pages"}}).must(t, http.StatusSeeOther)
	p := b.post("/queues/pages/move", url.Values{"to": {"nowhere"}}).must(t, http.StatusUnprocessableEntity)
	if said := p.says(`form [role="alert"]`); !strings.Contains(said, "no tablespace of this name") {
		t.Errorf("a tablespace that is none answers %q", said)
	}
	b.post("/queues/pages/move", url.Values{"to": {space}}).must(t, http.StatusSeeOther)
	if said := b.get("/queues/pages/settings").says("[data-move]"); !strings.Contains(said, "on its way to "+space) || !strings.Contains(said, "are left") {
		t.Errorf("the settings say %q", said)
	}
	b.post("/queues/resume", url.Values{"queue": {"pages"}}).must(t, http.StatusSeeOther)
	if _, err := s.engine.MoveOn(t.Context(), "pages"); err != nil {
		t.Fatal(err)
	}
	if said := b.get("/queues/pages/settings").says("[data-move]"); !strings.Contains(said, "It stands still: the queue is not paused") {
		t.Errorf("of a queue that was resumed the settings say %q", said)
	}
	b.post("/queues/pause", url.Values{"queue": {"pages"}}).must(t, http.StatusSeeOther)
	if _, err := s.engine.MoveOn(t.Context(), "pages"); err != nil {
		t.Fatal(err)
	}
	done := b.get("/queues/pages/settings")
	if n := done.Find("[data-move]").Length(); n != 0 {
		t.Errorf("it is there, and the settings say %q", done.says("[data-move]"))
	}
	if q, err := s.engine.Get(t.Context(), "pages"); err != nil || q.Settings.Tablespace == nil || *q.Settings.Tablespace != space {
		t.Errorf("moved: %+v, %v", q, err)
	}
}

func TestTheFormOfAPauseHasItsKinds(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages")
	s.push("pages", "a", "b")
	b := s.as(auth.RoleOperator)
	held, err := s.engine.Pick(t.Context(), "pages", queue.PickParams{Worker: "w"})
	if err != nil || len(held.Documents) != 1 {
		t.Fatalf("%+v, %v", held, err)
	}
	ask := b.get("/queues/pause?queue=pages&version=3").must(t, http.StatusOK)
	if version, _ := ask.Find(`input[name="version"]`).Attr("value"); version != "3" {
		t.Errorf("the form is about version %q", version)
	}
	for field, value := range map[string]string{"kind": "slowly", "version": "-1", "until": "yesterday"} {
		p := b.post("/queues/pause", url.Values{"queue": {"pages"}, field: {value}}).must(t, http.StatusUnprocessableEntity)
		if p.says("#f-"+field+"-wrong") == "" {
			t.Errorf("%s = %q is not refused at its field: %s", field, value, p.says("form"))
		}
	}
	b.post("/queues/pause", url.Values{"queue": {"pages"}, "version": {"3"}, "kind": {"drain"}, "reason": {"a new schema"}}).must(t, http.StatusSeeOther)
	page := b.get("/queues/pages").must(t, http.StatusOK)
	if said := page.says(".head + .notice, .notice"); !strings.Contains(said, "version 3 is paused") || !strings.Contains(said, "a new schema") {
		t.Errorf("the queue says %q", said)
	}
	if q, err := s.engine.Get(t.Context(), "pages"); err != nil || q.Paused || len(q.Pauses) != 1 {
		t.Errorf("paused for one version: %+v, %v", q, err)
	}
	b.post("/queues/resume", url.Values{"queue": {"pages"}, "version": {"3"}}).must(t, http.StatusSeeOther)
	b.post("/queues/pause", url.Values{"queue": {"pages"}, "kind": {"at_once"}}).must(t, http.StatusSeeOther)
	if d, err := s.engine.Doc(t.Context(), "pages", held.Documents[0].Subject); err != nil || d.Status != queue.Pending || d.Attempts != 0 {
		t.Errorf("what a worker held when the queue was paused at once: %+v, %v", d, err)
	}
	for _, page := range []string{"/", "/queues/pages"} {
		if said := b.get(page).must(t, http.StatusOK).says("main"); !strings.Contains(said, "nothing is handed out or held") {
			t.Errorf("%s says of a pause at once %q", page, said)
		}
	}
	if q, err := s.engine.Get(t.Context(), "pages"); err != nil || len(q.Pauses) != 1 || q.Pauses[0].Kind != queue.AtOnce {
		t.Errorf("paused at once: %+v, %v", q.Pauses, err)
	}
}
