package web_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/charts"
)

// flat has 5 everywhere, but for the first step, which it does not know. Queues have one metric of their own.
type flat struct{}

func (flat) Values(_ context.Context, asks []charts.Ask, span charts.Span) ([][]float64, error) {
	all := make([][]float64, len(asks))
	for i := range asks {
		all[i] = make([]float64, span.Points())
		for n := range all[i] {
			all[i][n] = 5
		}
		all[i][0] = math.NaN()
	}
	return all, nil
}

func (flat) Marks(context.Context, []string, time.Time, time.Time) ([]charts.Mark, error) {
	return []charts.Mark{{At: time.Now().Unix(), Text: "v1.2.3"}}, nil
}

func (flat) Names(_ context.Context, queues []string) ([]charts.Metric, error) {
	if len(queues) == 0 {
		return nil, nil
	}
	return []charts.Metric{{Name: "parse", Kind: "timing"}}, nil
}

func TestChartsAnswerTheirSpec(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages")
	b := s.as(auth.RoleViewer)
	ask := func(addresses ...string) *sitePage {
		return b.get("/charts/data?" + url.Values{"c": addresses}.Encode())
	}
	flow := "queue=pages&m=picked%3Arate&m=completed%3Arate&range=15m"
	p := ask(flow, "m=picked", "", "m=picked:rate&range=2h", "m=picked:rate&from=yesterday", "m=picked:rate&after=soon", "m=%zz",
		"m=picked:rate&queue=%00", "m=%00:rate", "m=picked:rate&title=%00")
	var told []struct {
		Status int
		Spec   charts.Spec
		Detail string
	}
	if err := json.Unmarshal([]byte(p.body), &told); err != nil || p.status != http.StatusOK || len(told) != 10 {
		t.Fatalf("%d %s: %v", p.status, p.body, err)
	}
	spec := told[0].Spec
	if told[0].Status != http.StatusOK || len(spec.Lines) != 2 || spec.Lines[0].Unit != "rate" || spec.Lines[0].Label != "picked" || len(spec.Lines[0].Values) != 90 ||
		spec.Lines[0].Values[0] != nil || *spec.Lines[0].Values[1] != 5 || len(spec.Marks) != 1 || spec.First != 0 {
		t.Errorf("%+v", spec)
	}
	for i, says := range []string{"as in picked:rate", "at least one is wanted", "15m, 1h", "a time like", "seconds since 1970", "no address of a chart",
		"is no name of a queue", "is no name of a metric", "is no title"} {
		if told[i+1].Status != http.StatusUnprocessableEntity || !strings.Contains(told[i+1].Detail, says) {
			t.Errorf("%d %s; %q is wanted", told[i+1].Status, told[i+1].Detail, says)
		}
	}
	zipped := b.get("/charts/data?"+url.Values{"c": {flow}}.Encode(), "Accept-Encoding", "gzip")
	if r, err := gzip.NewReader(strings.NewReader(zipped.body)); err != nil || zipped.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("compressed: %v", err)
	} else if text, err := io.ReadAll(r); err != nil || !json.Valid(text) {
		t.Errorf("compressed once it is %.20q, %v", text, err)
	}
	// Whoever has seen a chart up to some step is told of that one, of the one before, and of what is new.
	p = ask(fmt.Sprintf("%s&after=%d", flow, spec.From+80*spec.Step))
	told[0].Spec = charts.Spec{}
	if err := json.Unmarshal([]byte(p.body), &told); err != nil || told[0].Spec.First < 77 || told[0].Spec.First+len(told[0].Spec.Lines[0].Values) != 90 ||
		told[0].Spec.From < spec.From || len(told[0].Spec.Marks) != 1 {
		t.Errorf("%s: %v", p.body, err)
	}
	for _, n := range []int{0, 21} {
		if p := ask(slices.Repeat([]string{flow}, n)...); p.status != http.StatusUnprocessableEntity || !strings.Contains(p.body, "1 to 20 times") {
			t.Errorf("%d charts: %d %s", n, p.status, p.body)
		}
	}
}

func TestAChartHasATableAndAFileBehindIt(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages")
	b := s.as(auth.RoleViewer)
	p := b.get("/charts/table?title=Flow&queue=pages&m=picked%3Arate&range=15m").must(t, http.StatusOK)
	if got := p.Find("table[data-numbers] tbody tr").Length(); got != 90 {
		t.Errorf("the table has %d rows", got)
	}
	if p.says("h1") != "Flow" || p.says("table[data-numbers] tbody tr:first-child td:last-child") != "5" || p.says("table[data-numbers] tbody tr:last-child td:last-child") != "" {
		t.Error("the table does not begin with what is newest, or knows what is not known")
	}
	file := b.get(p.Find("a[download]").AttrOr("href", ""))
	lines := strings.Split(strings.TrimSpace(file.body), "\n")
	if file.status != http.StatusOK || len(lines) != 91 || lines[0] != "time,picked" || !strings.HasSuffix(lines[1], "Z,") || !strings.HasSuffix(lines[90], ",5") {
		t.Errorf("%d, %d lines: %q", file.status, len(lines), lines[:2])
	}
}

func TestTheQueueAndTheOverviewHaveCharts(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages", "images")
	b := s.as(auth.RoleViewer)
	p := b.get("/queues/pages?range=6h").must(t, http.StatusOK)
	if got := p.Find("figure.figure").Length(); got != 7 {
		t.Errorf("the queue has %d charts; six and one of its own metric are wanted", got)
	}
	if href := p.Find("figure.figure").Last().AttrOr("data-chart", ""); !strings.Contains(href, "m=parse%3Ap95") || !strings.Contains(href, "range=6h") {
		t.Errorf("the last is %s", href)
	}
	if p.Find(`nav[aria-label="Time"] a[aria-current="true"]`).Text() != "6h" || p.Find(`script[src*="charts"]`).Length() != 1 {
		t.Error("the time that is shown is not marked, or nothing draws")
	}
	p = b.get("/").must(t, http.StatusOK)
	if got := p.Find("figure.figure").Length(); got != 3 {
		t.Errorf("the overview has %d charts", got)
	}
	if href := p.Find("figure.figure").First().AttrOr("data-chart", ""); !strings.Contains(href, "queue=images&queue=pages") || !strings.Contains(href, "stack=1") {
		t.Errorf("the first is %s", href)
	}
}

func TestAChartIsPutTogetherSavedAndShared(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages")
	b := s.as(auth.RoleOperator)
	p := b.get("/charts?queue=pages&m=picked%3Arate&m=work%3Ap95&stack=1").must(t, http.StatusOK)
	p.has(t, `input[name="m"][value="picked:rate"][checked]`)
	p.has(t, `input[name="m"][value="parse:p95"]`)
	p.has(t, `input[name="queue"][value="pages"][checked]`)
	form := url.Values{"title": {"Ours"}, "dashboard": {""}, "name": {"Night"}}
	p.Find(`form[action="/charts/save"] input[type="hidden"]`).Each(func(_ int, i *goquery.Selection) { form.Add(i.AttrOr("name", ""), i.AttrOr("value", "")) })
	to := b.post("/charts/save", form).must(t, http.StatusSeeOther).to()
	d := s.as(auth.RoleViewer).get(to).must(t, http.StatusOK)
	if d.says("h1") != "Night" || d.says("figure.figure h2") != "Ours" || d.Find("form[method=post][action^='/dashboards']").Length() != 0 {
		t.Errorf("a viewer sees %q", d.says("main"))
	}
	if href := d.Find("figure.figure").AttrOr("data-chart", ""); !strings.Contains(href, "m=work%3Ap95") || !strings.Contains(href, "stack=1") {
		t.Errorf("the chart is %s", href)
	}
	// What cannot be drawn is not saved.
	if p := b.post("/charts/save", url.Values{"title": {"Three"}, "dashboard": {strings.TrimPrefix(to, "/dashboards/")}, "m": {"errors:rate", "work:p95", "docs_pending:avg"}}); p.status != http.StatusUnprocessableEntity || !strings.Contains(p.body, "two units at most") {
		t.Errorf("three units: %d", p.status)
	}
	// A second one, moved before the first; then one is removed, the dashboard renamed, and deleted.
	id := strings.TrimPrefix(to, "/dashboards/")
	b.post("/charts/save", url.Values{"title": {"Second"}, "dashboard": {id}, "m": {"errors:rate"}}).must(t, http.StatusSeeOther)
	arrange := func(do, name string) *sitePage {
		edits := b.get(to).must(t, http.StatusOK).Find(`input[name="edits"]`).AttrOr("value", "")
		return b.post(to, url.Values{"edits": {edits}, "do": {do}, "name": {name}})
	}
	arrange("up 1", "").must(t, http.StatusSeeOther)
	if got := b.get(to).must(t, http.StatusOK).Find("figure.figure h2").Text(); got != "SecondOurs" {
		t.Errorf("the order is %s", got)
	}
	if p := b.post(to, url.Values{"edits": {"0"}, "do": {"up 1"}}); p.status != http.StatusUnprocessableEntity || !strings.Contains(p.body, "changed this dashboard meanwhile") {
		t.Errorf("a change over another one: %d", p.status)
	}
	arrange("remove 0", "").must(t, http.StatusSeeOther)
	arrange("rename", "Day").must(t, http.StatusSeeOther)
	if p := arrange("rename", " "); p.status != http.StatusUnprocessableEntity {
		t.Errorf("no name: %d", p.status)
	}
	if p := arrange("fly 3", ""); p.status != http.StatusUnprocessableEntity {
		t.Errorf("something else: %d", p.status)
	}
	p = b.get("/charts").must(t, http.StatusOK)
	if got := p.Find(`a[href="` + to + `"]`).Text(); got != "Day" {
		t.Errorf("the list says %q", got)
	}
	arrange("delete", "").must(t, http.StatusSeeOther)
	b.get(to).must(t, http.StatusNotFound)
	b.get("/dashboards/nothing").must(t, http.StatusNotFound)
}

func TestAChartThatIsNoneIsToldOnThePage(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages")
	b := s.as(auth.RoleViewer)
	p := b.get("/charts?m=picked").must(t, http.StatusOK)
	if !strings.Contains(p.says(".notice"), "as in picked:rate") || p.Find("figure.figure").Length() != 0 {
		t.Errorf("%q", p.says(".notice"))
	}
	p = b.get("/charts?queue=a%00b").must(t, http.StatusOK)
	if !strings.Contains(p.says(".notice"), "is no name of a queue") {
		t.Errorf("%q", p.says(".notice"))
	}
	if p := b.get("/charts?queue=pages").must(t, http.StatusOK); p.Find(".notice").Length() != 0 {
		t.Errorf("nothing chosen yet: %q", p.says(".notice"))
	}
	for _, path := range []string{"/queues/pages", "/", "/charts"} {
		for said, why := range map[string]string{"range=never": "range: one of", "from=2026-11-25T08:00:00Z&to=2026-11-25T08:00:30Z": "to: it has to be a minute after"} {
			p := b.get(path+"?"+said).must(t, http.StatusOK)
			if got := p.Find(`nav[aria-label="Time"] a[aria-current="true"]`).Text(); got != "1h" {
				t.Errorf("a time that is none shows %s", got)
			}
			if got := p.says(".notice"); !strings.Contains(got, why) || !strings.Contains(got, "The last hour is shown instead.") {
				t.Errorf("%s says %q of %s", path, got, said)
			}
		}
	}
}

// has wants an element once.
func (p *sitePage) has(t *testing.T, selector string) {
	t.Helper()
	if n := p.Find(selector).Length(); n != 1 {
		t.Errorf("%s stands %d times on the page", selector, n)
	}
}

func TestAChartThatCannotBeReadOutlivesASave(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	b := s.as(auth.RoleOperator)
	to := b.post("/charts/save", url.Values{"title": {"Ours"}, "dashboard": {""}, "name": {"Night"}, "m": {"errors:rate"}}).must(t, http.StatusSeeOther).to()
	if _, err := s.db.Exec(t.Context(), `update fetchq.dashboards set charts = charts || $1::text`, "m=picked%3Amedian&title=Newer"); err != nil {
		t.Fatal(err)
	}
	b.post(to, url.Values{"edits": {b.get(to).Find(`input[name="edits"]`).AttrOr("value", "")}, "do": {"rename"}, "name": {"Day"}}).must(t, http.StatusSeeOther)
	p := b.get(to).must(t, http.StatusOK)
	if p.says("h1") != "Day" || p.Find("figure.figure h2").Text() != "OursNewer" || p.Find("figure[data-chart]").Length() != 1 ||
		!strings.Contains(p.says("figure .notice"), `"picked:median" is no metric`) {
		t.Errorf("%q", p.says("main"))
	}
}

// many has fourteen metrics of its own in each queue.
type many struct{ flat }

func (many) Names(context.Context, []string) ([]charts.Metric, error) {
	list := make([]charts.Metric, 14)
	for i := range list {
		list[i] = charts.Metric{Name: fmt.Sprint("metric_", i), Kind: "gauge"}
	}
	return list, nil
}

func TestMetricsThatHaveNoChartAreCounted(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages", "images")
	b := s.as(auth.RoleViewer)
	p := b.get("/queues/pages").must(t, http.StatusOK)
	p.has(t, `nav[aria-label="Views of pages"] a[href="/charts?queue=pages"]`)
	if strings.Contains(p.says("main"), "of this queue: choose") {
		t.Error("one metric of its own has a chart, and more are told of")
	}
	s.pages.Metrics = many{}
	p = b.get("/queues/images").must(t, http.StatusOK) // the other page is shared for a moment
	if got := p.says("main"); !strings.Contains(got, "2 more metrics of this queue") || p.Find(`p a[href="/charts?queue=images"]`).Length() != 1 {
		t.Errorf("%q", got)
	}
}
