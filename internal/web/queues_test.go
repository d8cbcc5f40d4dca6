package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

// queues makes queues with these names.
func (s *site) queues(names ...string) {
	s.t.Helper()
	for _, name := range names {
		if _, _, err := s.engine.Put(s.t.Context(), name, nil); err != nil {
			s.t.Fatal(err)
		}
	}
}

// push puts documents into a queue, and has them counted on pages over many.
func (s *site) push(name string, subjects ...string) {
	s.t.Helper()
	docs := make([]queue.Push, len(subjects))
	for i, subject := range subjects {
		docs[i] = queue.Push{Subject: subject, Payload: []byte(`{}`)}
	}
	if _, err := s.engine.Push(s.t.Context(), name, docs, queue.Ignore); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.db.Exec(s.t.Context(), `select fetchq.mnt_fold($1)`, name); err != nil {
		s.t.Fatal(err)
	}
}

// listed are the names of the queues on a page, in its order.
func listed(p *sitePage) string {
	return strings.ReplaceAll(p.says(".rows tbody td.wide a"), "  ", " ")
}

func TestQueuesAreFilteredSortedAndStarredByTheURL(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("images", "pages", "feeds")
	s.push("pages", "a", "b")
	s.push("feeds", "a")
	b := s.as(auth.RoleViewer)
	for path, want := range map[string]string{
		"/queues": "feeds images pages", "/queues?desc=1": "pages images feeds", "/queues?sort=pending&desc=1": "pages feeds images",
		"/queues?q=AGE": "images pages", "/queues?state=idle": "images", "/queues?sort=nothing&page=99": "feeds images pages",
	} {
		if got := listed(b.get(path).must(t, http.StatusOK)); got != want {
			t.Errorf("%s lists %q; %q is wanted", path, got, want)
		}
	}
	b.post("/queues/star", url.Values{"queue": {"pages"}, "back": {"/queues?q=s"}}).must(t, http.StatusSeeOther)
	if got := listed(b.get("/queues")); got != "pages feeds images" {
		t.Errorf("with a star for pages the list is %q", got)
	}
	if got := listed(s.as(auth.RoleOperator).get("/queues")); got != "feeds images pages" {
		t.Errorf("the star of one is seen by another: %q", got)
	}
}

func TestTheListOfQueuesIsBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	for i := range 60 {
		s.queues(fmt.Sprintf("q%02d", i))
	}
	b := s.as(auth.RoleViewer)
	first := b.get("/queues").must(t, http.StatusOK)
	if n := first.Find(".rows tbody tr").Length(); n != 50 {
		t.Errorf("the first page has %d queues", n)
	}
	next, _ := first.Find(`a[rel="next"]`).Attr("href")
	second := b.get(next).must(t, http.StatusOK)
	if got := second.Find(".rows tbody tr").Length(); got != 10 {
		t.Errorf("the second page, %s, has %d queues", next, got)
	}
	if n := b.get("/").Find(".rows tbody tr").Length(); n != 25 {
		t.Errorf("the overview has %d queues", n)
	}
}

func TestAQueueIsMadeWithItsSettings(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	b := s.as(auth.RoleAdmin)
	form := url.Values{
		"name": {"pages"}, "max_attempts": {"3"}, "lock": {"2m"}, "backoff.kind": {"fixed"}, "backoff.base": {"1s"}, "backoff.cap": {"1m"},
		"backoff.jitter": {"0.1"}, "max_active": {"7"}, "rate.picks": {"100"}, "rate.per": {""}, "completed_retention": {"90 days"}, "partitions": {"4"},
	}
	p := b.post("/queues/new", form).must(t, http.StatusSeeOther)
	if p.to() != "/queues/pages" {
		t.Errorf("it leads to %s", p.to())
	}
	if said := b.get("/queues/pages").says(".toast p"); said != "Made the queue pages." {
		t.Errorf("it says %q", said)
	}
	q, err := s.engine.Get(t.Context(), "pages")
	if err != nil {
		t.Fatal(err)
	}
	got := q.Settings
	if got.MaxAttempts != 3 || got.Lock.String() != "2m" || got.Backoff.Kind != "fixed" || *got.MaxActive != 7 || got.Rate.Picks != 100 ||
		got.Rate.Per.String() != "1s" || got.LogsRetention != nil || got.CompletedRetention.String() != "90 days" || got.Partitions != 4 {
		t.Errorf("the settings are %+v", got)
	}
}

func TestWhatIsWrongWithAQueueIsSaidAtItsField(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("taken")
	b := s.as(auth.RoleAdmin)
	good := func() url.Values {
		return url.Values{"name": {"pages"}, "max_attempts": {"5"}, "lock": {"5m"}, "backoff.kind": {"none"}}
	}
	for field, value := range map[string]string{
		"name": "taken", "max_attempts": "0", "lock": "25h", "max_active": "x", "rate.picks": "0", "logs_retention": "1m", "partitions": "1000", "tablespace": "nowhere",
	} {
		form := good()
		form.Set(field, value)
		p := b.post("/queues/new", form).must(t, http.StatusUnprocessableEntity)
		wrong := p.Find("#f-" + strings.ReplaceAll(field, ".", `\.`) + `[aria-invalid="true"]`)
		if wrong.Length() != 1 {
			t.Errorf("%s = %q: no field is marked", field, value)
			continue
		}
		if kept, _ := wrong.Attr("value"); kept != value {
			t.Errorf("%s: what was typed is %q then", field, kept)
		}
	}
	form := good()
	form.Set("name", "Bad Name")
	if p := b.post("/queues/new", form).must(t, http.StatusUnprocessableEntity); p.says("#f-name-wrong") == "" {
		t.Error("a name that is none is not marked")
	}
	if _, err := s.engine.Get(t.Context(), "pages"); errs.Of(err) != errs.NotFound {
		t.Errorf("a queue was made: %v", err)
	}
}

func TestSettingsAreChangedAndRefusedAtTheirField(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages")
	b := s.as(auth.RoleAdmin)
	page := b.get("/queues/pages/settings").must(t, http.StatusOK)
	form := url.Values{}
	for _, in := range page.Find(`form[action="/queues/pages/settings"] [name]`).EachIter() {
		name, _ := in.Attr("name")
		value, _ := in.Attr("value")
		if in.Is("select") {
			value, _ = in.Find("option[selected]").Attr("value")
		}
		form.Set(name, value)
	}
	before, _ := s.engine.Get(t.Context(), "pages")
	b.post("/queues/pages/settings", form).must(t, http.StatusSeeOther)
	after, _ := s.engine.Get(t.Context(), "pages")
	if diff := cmp.Diff(before.Settings, after.Settings); diff != "" {
		t.Errorf("a form that was sent as it came changed the settings: %s", diff)
	}
	form.Set("lock", "never")
	p := b.post("/queues/pages/settings", form).must(t, http.StatusUnprocessableEntity)
	if p.says("#f-lock-wrong") == "" {
		t.Error("the field is not marked")
	}
}

func TestQueuesArePausedWithAReasonAndThePauseIsTakenBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages", "images", "feeds")
	b := s.as(auth.RoleOperator)
	ask := b.get("/queues/pause?queue=pages&queue=images&back=%2Fqueues").must(t, http.StatusOK)
	if n := ask.Find(`form[action="/queues/pause"] input[name="queue"]`).Length(); n != 2 {
		t.Errorf("the form names %d queues", n)
	}
	b.post("/queues/pause", url.Values{"queue": {"pages", "images"}, "reason": {"the site is down"}, "until": {"+2h"}, "back": {"/queues"}}).must(t, http.StatusSeeOther)
	for name, want := range map[string]bool{"pages": true, "images": true, "feeds": false} {
		q, err := s.engine.Get(t.Context(), name)
		if err != nil || q.Paused != want || want && (*q.PauseReason != "the site is down" || q.PausedUntil == nil) {
			t.Errorf("%s: %+v, %v", name, q, err)
		}
	}
	list := b.get("/queues")
	if said := list.says(".toast p"); said != "Paused images, pages." {
		t.Errorf("it says %q", said)
	}
	undo := url.Values{}
	for _, f := range list.Find(`.toast form[action="/queues/resume"] input`).EachIter() {
		name, _ := f.Attr("name")
		value, _ := f.Attr("value")
		undo.Add(name, value)
	}
	if said := b.get("/queues/pages").says(".notice"); !strings.Contains(said, "the site is down") {
		t.Errorf("the queue says %q", said)
	}
	b.post("/queues/resume", undo).must(t, http.StatusSeeOther)
	for _, name := range []string{"pages", "images"} {
		if q, _ := s.engine.Get(t.Context(), name); q.Paused {
			t.Errorf("%s is paused still", name)
		}
	}
	p := b.post("/queues/pause", url.Values{"queue": {"pages"}, "until": {"-1h"}}).must(t, http.StatusUnprocessableEntity)
	if p.says("#f-until-wrong") == "" {
		t.Error("an end that lies behind is not refused at its field")
	}
	b.get("/queues/pause?queue=missing").must(t, http.StatusNotFound)
}

func TestAQueueIsDroppedOrEmptiedByItsNameOnly(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages")
	s.push("pages", "a", "b")
	b := s.as(auth.RoleAdmin)
	for _, what := range []string{"drop", "truncate"} {
		ask := b.get("/queues/pages/"+what).must(t, http.StatusOK)
		if said := ask.says("form p"); !strings.Contains(said, "2 documents") {
			t.Errorf("%s: the form says %q", what, said)
		}
		p := b.post("/queues/pages/"+what, url.Values{"confirm": {"page"}}).must(t, http.StatusUnprocessableEntity)
		if said := p.says(`[role="alert"]`); !strings.Contains(said, "Nothing was") {
			t.Errorf("%s: another name answers %q", what, said)
		}
	}
	b.post("/queues/pages/truncate", url.Values{"confirm": {"pages"}}).must(t, http.StatusSeeOther)
	if q, err := s.engine.Get(t.Context(), "pages"); err != nil || q.Counts != (queue.Counts{}) {
		t.Errorf("emptied, it has %+v, %v", q.Counts, err)
	}
	b.post("/queues/pages/drop", url.Values{"confirm": {"pages"}}).must(t, http.StatusSeeOther)
	if said := b.get("/queues").says(".toast p"); !strings.Contains(said, "Dropped pages.") {
		t.Errorf("it says %q", said)
	}
	b.get("/queues/pages").must(t, http.StatusNotFound)
}

func TestAQueueShowsItsCountsByStatusAndVersion(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages")
	docs := []queue.Push{{Subject: "a"}, {Subject: "b", Version: new(3)}, {Subject: "c", Version: new(3)}}
	if _, err := s.engine.Push(t.Context(), "pages", docs, queue.Ignore); err != nil {
		t.Fatal(err)
	}
	p := s.as(auth.RoleViewer).get("/queues/pages").must(t, http.StatusOK)
	if got := p.says(`[data-tile="Pending"] dd`); !strings.HasPrefix(got, "3") {
		t.Errorf("pending is %q, though nothing was folded", got)
	}
	if got := p.says(`table a[href="/queues/pages/documents?version=3&status=pending"]`); got != "2" {
		t.Errorf("of version 3 there are %q", got)
	}
	if n := p.Find(`a[href="/queues/pages/drop"], form[action="/queues/pages/settings"]`).Length(); n != 0 {
		t.Error("a viewer is offered what an admin may")
	}
}

func TestErrorsOfAllQueuesAndOfOne(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages", "images")
	for _, name := range []string{"pages", "images"} {
		s.push(name, "a")
		if _, err := s.db.Exec(t.Context(), `select fetchq.log_add_many($1, 1, array['a'], array['HTTP 503 from ' || $1], null, array['r-1'], 'host-1')`, name); err != nil {
			t.Fatal(err)
		}
		if _, err := s.db.Exec(t.Context(), `select fetchq.mnt_fold($1)`, name); err != nil {
			t.Fatal(err)
		}
	}
	b := s.as(auth.RoleViewer)
	for path, want := range map[string]int{
		"/errors": 2, "/errors?queue=pages": 1, "/errors?q=IMAGES": 1, "/errors?subject=b": 0, "/errors?within=1h": 2, "/errors?kind=note": 0,
		"/queues/pages/errors": 1, "/queues/pages/errors?kind=all": 1, "/queues/pages/errors?subject=a&q=503": 1, "/queues/pages/errors?kind=note": 0,
	} {
		p := b.get(path).must(t, http.StatusOK)
		if got := p.Find(".panel .rows tbody tr").Length(); got != want {
			t.Errorf("%s has %d lines; %d is wanted", path, got, want)
		}
	}
	if p := b.get("/errors?within=soon").must(t, http.StatusOK); !strings.Contains(p.says(`[role="alert"]`), "no duration") {
		t.Error("a range that is none is not told")
	}
	b.get("/queues/missing/errors").must(t, http.StatusNotFound)
}

func TestSearchFindsPagesQueuesAndSubjects(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages", "page_images")
	s.push("pages", "https://a.example/", "https://a.example/b")
	s.push("page_images", "https://a.example/")
	b := s.as(auth.RoleViewer)
	p := b.get("/search?q=page").must(t, http.StatusOK)
	if got := p.says(`[aria-labelledby="found-queues"] a`); got != "page_images pages" {
		t.Errorf("the queues are %q", got)
	}
	p = b.get("/search?q="+url.QueryEscape("https://a.example/")).must(t, http.StatusOK)
	if n := p.Find(".rows tbody tr").Length(); n != 3 {
		t.Errorf("%d documents are found", n)
	}
	if n := p.Find(".badge").Length(); n != 2 {
		t.Errorf("%d are exact", n)
	}
	p = b.get("/search?q=team").must(t, http.StatusOK)
	if n := p.Find(`.page a[href="/team"]`).Length(); n != 0 {
		t.Error("a viewer finds the page of the team")
	}
	if said := b.get("/search").says(".empty h2"); said != "What are you looking for?" {
		t.Errorf("without a text it says %q", said)
	}
	b.get("/search?q="+strings.Repeat("x", 300)).must(t, http.StatusOK)
}

func TestHeadIsGetWithoutItsBody(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages")
	b := s.as(auth.RoleViewer)
	for path, want := range map[string]int{"/": http.StatusOK, "/queues/pages": http.StatusOK, "/nope": http.StatusNotFound, "/events": http.StatusNotFound} {
		p := b.ask(http.MethodHead, path, nil)
		if p.status != want || p.body != "" {
			t.Errorf("HEAD %s answers %d with %d bytes; %d is wanted", path, p.status, len(p.body), want)
		}
	}
	if p := s.nobody().ask(http.MethodHead, "/login", nil); p.status != http.StatusOK {
		t.Errorf("HEAD /login answers %d", p.status)
	}
}
