package web_test

import (
	"bufio"
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/queue"
)

// TestAStreamTellsOfTheQueuesOfAPerson and of others as soon as that person may see them.
func TestAStreamTellsOfTheQueuesOfAPerson(t *testing.T) {
	t.Parallel()
	s := newHiddenSite(t)
	b, u := s.limited(auth.RoleViewer, "pages")
	b.get("/queues").must(t, http.StatusOK)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	resp := b.send(ctx, http.MethodGet, "/events", nil)
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	var told []string
	until := func(part string) {
		t.Helper()
		for lines.Scan() {
			if told = append(told, lines.Text()); strings.Contains(lines.Text(), part) {
				return
			}
		}
		t.Fatalf("the stream ended without %s: %q", part, told)
	}
	until(`"trouble":0`)
	if _, err := s.engine.Pause(ctx, hiddenQueue, queue.PauseParams{}); err != nil {
		t.Fatal(err)
	}
	s.push("pages", "new")
	until(`"pages"`)
	if all := strings.Join(told, "\n"); strings.Contains(all, hiddenMark) || strings.Contains(all, `"trouble":1`) {
		t.Errorf("it tells %s", all)
	}
	if _, err := s.users.SetQueues(ctx, u.ID, nil); err != nil {
		t.Fatal(err)
	}
	s.push(hiddenQueue, "new")
	until(hiddenQueue)
	if _, err := s.users.SetQueues(ctx, u.ID, []string{"nothing"}); err != nil {
		t.Fatal(err)
	}
	b.get("/queues/pages").must(t, http.StatusNotFound)
	told = nil
	s.push("pages", "newer")
	if _, err := s.users.Disable(ctx, u.ID); err != nil {
		t.Fatal(err)
	}
	until("event: over")
	if all := strings.Join(told, "\n"); strings.Contains(all, `"pages"`) {
		t.Errorf("behind the change it tells %s", all)
	}
}

func TestAnAdminSaysWhichQueuesAPersonSees(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages", "img_small", "other")
	admin := s.as(auth.RoleAdmin)
	u := s.user("ann@example.org", auth.RoleViewer)
	ann := s.enter(u)
	form := "/team/people/" + u.ID.String() + "/queues"
	admin.get(form).must(t, http.StatusOK)
	for typed, said := range map[string]string{"Pages": "is no queue", ",": "no queue is named", "a b*c": "is no queue"} {
		if p := admin.post(form, url.Values{"queues": {typed}}).must(t, http.StatusUnprocessableEntity); !strings.Contains(p.says("#f-queues-wrong"), said) {
			t.Errorf("%q: %q", typed, p.says("main"))
		}
	}
	admin.post(form, url.Values{"queues": {"pages, img_*"}}).must(t, http.StatusSeeOther)
	if row := admin.get("/team").says("[data-person='ann@example.org'] [data-label=Queues]"); row != "pages, img_*" {
		t.Errorf("the row says %q", row)
	}
	ann.get("/queues/img_small").must(t, http.StatusOK)
	ann.get("/queues/other").must(t, http.StatusNotFound)
	if lines := strings.Join(s.told(), "\n"); !strings.Contains(lines, "user.queues") {
		t.Errorf("the audit log has %s", lines)
	}
	if _, err := s.engine.Rename(t.Context(), "pages", "sites"); err != nil {
		t.Fatal(err)
	}
	ann.get("/queues/sites").must(t, http.StatusOK)
	admin.post(form, url.Values{"queues": {""}}).must(t, http.StatusSeeOther)
	ann.get("/queues/other").must(t, http.StatusOK)
}
