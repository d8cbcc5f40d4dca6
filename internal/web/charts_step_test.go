package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/fetchq/server/internal/auth"
)

func TestAStepIsChosenInTheAddressAndKeptByThePage(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages")
	b := s.as(auth.RoleViewer)
	const form = `form[aria-label="What to draw"] `
	options := func(p *sitePage) string {
		return strings.Join(p.Find(form+`select[name="step"] option`).Map(func(_ int, o *goquery.Selection) string { return o.AttrOr("value", "?") + "=" + o.Text() }), ", ")
	}
	p := b.get("/charts?queue=pages&m=picked%3Arate&range=6h").must(t, http.StatusOK)
	if got := options(p); got != "=automatic, 1m=1 m, 10m=10 m, 1h=1 h" || p.Find(form+`option[selected]`).AttrOr("value", "?") != "" {
		t.Errorf("of six hours there is %s", got)
	}
	// The form is sent as a browser without scripts does.
	sent := url.Values{"step": {"10m"}}
	p.Find(form + "input").Each(func(_ int, i *goquery.Selection) {
		if _, ticked := i.Attr("checked"); ticked || i.AttrOr("type", "") == "hidden" {
			sent.Add(i.AttrOr("name", ""), i.AttrOr("value", ""))
		}
	})
	p = b.get("/charts?"+sent.Encode()).must(t, http.StatusOK)
	if p.Find(form+`option[selected]`).AttrOr("value", "?") != "10m" || p.Find(".notice").Length() != 0 || p.Find(form+`input[type="hidden"][name="step"]`).Length() != 0 {
		t.Errorf("the step that was chosen is %q; %s", p.Find(form+`option[selected]`).Text(), p.says(".notice"))
	}
	address := p.Find("figure.figure").AttrOr("data-chart", "")
	if n := strings.Count(b.get("/charts/data?"+url.Values{"c": {address}}.Encode()).must(t, http.StatusOK).body, `"step":600`); n != 1 {
		t.Errorf("%s is not in steps of ten minutes", address)
	}
	p.has(t, `form#span input[type="hidden"][name="step"][value="10m"]`)
	table := b.get(p.Find("figure.figure a:contains(Table)").AttrOr("href", "")).must(t, http.StatusOK)
	if got := table.Find("table[data-numbers] tbody tr").Length(); got != 36 || !strings.Contains(table.says("main"), "in steps of 10 m") {
		t.Errorf("the table has %d rows", got)
	}
	// A link to another time keeps the step where that has 2 to 400 of it.
	kept := map[string]bool{"15m": false, "1h": true, "6h": true, "24h": true, "7d": false, "1y": false}
	for word, want := range kept {
		href := p.Find(`nav[aria-label="Time"] a:contains("`+word+`")`).AttrOr("href", "")
		if got := strings.Contains(href, "step=10m"); got != want || !strings.Contains(href, "range="+word) {
			t.Errorf("the link to %s is %s", word, href)
		}
		if p := b.get(href).must(t, http.StatusOK); p.Find(".notice").Length() != 0 {
			t.Errorf("%s: %s", href, p.says(".notice"))
		}
	}
	// The charts of another page as well, and their way here.
	p = b.get("/queues/pages?range=24h&step=1h").must(t, http.StatusOK)
	if href := p.Find("figure.figure a:contains(Explore)").First().AttrOr("href", ""); !strings.Contains(href, "step=1h") || !strings.Contains(href, "range=24h") {
		t.Errorf("the way to the explorer is %s", href)
	}
}

func TestAStepThatDoesNotFitIsToldAndTheTimeStays(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages")
	b := s.as(auth.RoleViewer)
	for step, says := range map[string]string{
		"10s": "The step in the address cannot be shown: a line has 400 values at most, and there would be 2160 in steps of 10s; 1m is the shortest for this time. The automatic one",
		"2h":  "one of 10s, 1m, 10m and 1h is wanted", "%00": "one of 10s",
	} {
		chart := "queue=pages&m=picked%3Arate&range=6h&step=" + step
		p := b.get("/charts?"+chart).must(t, http.StatusOK)
		if got := p.says(".notice"); !strings.Contains(got, says) {
			t.Errorf("%s: the page says %q", step, got)
		}
		if got := p.Find(`nav[aria-label="Time"] a[aria-current="true"]`).Text(); got != "6h" {
			t.Errorf("%s: the page shows %s", step, got)
		}
		if href := p.Find("figure.figure").AttrOr("data-chart", ""); !strings.Contains(href, "range=6h") || strings.Contains(href, "step") || p.Find(`a[href*="step="]`).Length() != 0 {
			t.Errorf("%s: the wrong step is kept: %s", step, href)
		}
		if p := b.get("/charts/table?" + chart); p.status != http.StatusUnprocessableEntity || !strings.Contains(p.says("main"), "in steps of 10s") == (step == "10s") {
			t.Errorf("%s: the table is %d, %q", step, p.status, p.says("main"))
		}
		p = b.get("/charts/data?" + url.Values{"c": {chart}}.Encode())
		if p.status != http.StatusOK || !strings.Contains(p.body, `"status":422`) {
			t.Errorf("%s: the numbers are %d, %s", step, p.status, p.body)
		}
	}
}
