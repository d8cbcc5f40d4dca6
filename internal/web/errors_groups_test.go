package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/auth"
)

func TestErrorsAreShownByGroupAndOfAGroup(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages", "images")
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := s.db.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"pages", "images"} {
		s.push(name, "a")
		exec(`select fetchq.log_add_many($1, 1, array['a', 'b'], array['timeout after 3 s', 'timeout after 4 s'], p_worker => 'host-1')`, name)
	}
	exec(`select fetchq.log_add_many('pages', 1, array['c'], array['the disk is full'])`)
	exec(`select fetchq.mnt_fold('pages'), fetchq.mnt_fold('images')`)
	var code string
	if err := s.db.QueryRow(t.Context(), `select fetchq.fingerprint_text(fetchq.error_fingerprint('timeout after 5 s'))`).Scan(&code); err != nil {
		t.Fatal(err)
	}
	admin, viewer := s.as(auth.RoleAdmin), s.as(auth.RoleViewer)
	for path, want := range map[string]string{
		"/errors": "timeout after …|the disk is full", "/errors?order=first_seen": "the disk is full|timeout after …", "/errors?q=DISK": "the disk is full",
		"/errors?queue=images": "timeout after …", "/queues/pages/errors": "timeout after …|the disk is full", "/errors?within=1h&version=0": "timeout after …",
		"/errors?version=7": "", "/errors?to=-1+hour": "", "/errors?from=-1+hour&to=%2B1+hour": "timeout after …|the disk is full",
	} {
		p := viewer.get(path).must(t, http.StatusOK)
		var got []string
		for _, n := range p.Find("td.message a").EachIter() {
			got = append(got, strings.TrimSpace(n.Text()))
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%s shows %q; %q is wanted", path, got, want)
		}
	}
	for path, said := range map[string]string{
		"/errors?order=size": "order", "/errors?version=x": "no whole number", "/errors?from=soon": "from", "/errors?within=soon": "no duration",
	} {
		if p := viewer.get(path).must(t, http.StatusOK); !strings.Contains(p.says(`[role="alert"]`), said) {
			t.Errorf("%s says %q", path, p.says(`[role="alert"]`))
		}
	}
	const groupActions = `[aria-label="Group of errors"] a[hx-get]`
	here := "/queues/pages/errors?fingerprint=" + code
	p := admin.get(here).must(t, http.StatusOK)
	for selector, want := range map[string]string{
		`[data-tile="Errors"] dd`: "2", `[data-tile="Documents"] dd`: "2", "h2": "timeout after …", "summary": "1 worker", `[aria-label="Documents of the group"] tbody tr:last-child`: "gone",
	} {
		if !strings.Contains(p.says(selector), want) {
			t.Errorf("%s is %q; %q is wanted", selector, p.says(selector), want)
		}
	}
	if n := p.Find(`[aria-label="Lines"] tbody tr`).Length(); n != 2 {
		t.Errorf("the group has %d lines", n)
	}
	retry := p.Find(groupActions).First().AttrOr("href", "")
	if want := "/queues/pages/operations/new?action=retry&filter.fingerprint=" + code + "&filter.status=killed"; retry != want {
		t.Errorf("the first action leads to %q; %q is wanted", retry, want)
	}
	dialog := admin.get(strings.Replace(strings.Replace(retry, "action=retry", "action=kill", 1), "&filter.status=killed", "", 1)).must(t, http.StatusOK)
	if got := dialog.says("main"); !strings.Contains(got, "1 document matches in pages: last error in the group "+code) {
		t.Errorf("the dialog says %q", got)
	}
	if n := viewer.get(here).must(t, http.StatusOK).Find(groupActions).Length(); n != 0 {
		t.Errorf("a viewer is offered %d actions", n)
	}
	viewer.get(retry).must(t, http.StatusForbidden)
	all := viewer.get("/errors?fingerprint="+code).must(t, http.StatusOK)
	if n := all.Find(`[aria-label="Lines"] tbody tr`).Length(); n != 4 || !strings.HasPrefix(all.says(`[data-tile="Errors"] dd`), "4") {
		t.Errorf("of all queues the group has %d lines and %s errors", n, all.says(`[data-tile="Errors"] dd`))
	}
	viewer.get("/errors?fingerprint=00000000000000ff").must(t, http.StatusNotFound)
	viewer.get("/errors?fingerprint="+url.QueryEscape("<b>")).must(t, http.StatusUnprocessableEntity)
	viewer.get(here+"&from=soon").must(t, http.StatusUnprocessableEntity)
}
