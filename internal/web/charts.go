package web

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/charts"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

// Metrics reads what charts show, and which metrics there are.
type Metrics = charts.Source

func (s *Server) chartsRoutes() {
	s.guard(http.MethodGet, "/charts", auth.See, s.explorePage)
	s.compressed["/charts/data"] = true
	s.guard(http.MethodGet, "/charts/data", auth.See, s.chartData)
	s.guard(http.MethodGet, "/charts/table", auth.See, s.chartTable)
	s.guard(http.MethodGet, "/charts/csv", auth.See, s.chartCSV)
}

// chartOf reads a chart, its time and its values.
func (s *Server) chartOf(c echo.Context) (charts.Chart, charts.Span, charts.Spec, error) {
	chart, err := charts.Parse(c.QueryParams())
	if err != nil {
		return chart, charts.Span{}, charts.Spec{}, err
	}
	at, err := charts.ParseSpan(c.QueryParams(), s.Now())
	if err != nil {
		return chart, at, charts.Spec{}, err
	}
	spec, err := chart.Spec(c.Request().Context(), s.Metrics, at)
	return chart, at, spec, err
}

// mostCharts are told in one answer; a page with more asks again.
const mostCharts = 20

// toldChart is one of the charts of an answer: its spec, or what is wrong with it.
type toldChart struct {
	Spec   *charts.Spec `json:"spec,omitempty"`
	Status int          `json:"status"`
	Detail string       `json:"detail,omitempty"`
}

// chartData tells the charts that the parameters c say, each an address of its own. One that has after=<seconds since 1970> was drawn
// up to the step that begins there, and is told what is new. Those who look at the same charts share the answer for a moment.
func (s *Server) chartData(c echo.Context) error {
	asked := c.QueryParams()["c"]
	if len(asked) == 0 || len(asked) > mostCharts {
		return errs.Field("c", "it stands there 1 to %d times; here it does %d times", mostCharts, len(asked))
	}
	found, err := s.chartParts.get(queue.ScopeKey(c.Request().Context())+" "+strings.Join(asked, " "), func() ([]byte, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), pageWait)
		defer cancel()
		told := make([]toldChart, len(asked))
		from := &marksOnce{s.Metrics, map[string][]charts.Mark{}}
		for i, address := range asked {
			if err := s.tellChart(ctx, from, address, &told[i]); err != nil {
				return nil, err
			}
		}
		return json.Marshal(told)
	})
	if err != nil {
		return err
	}
	return c.JSONBlob(http.StatusOK, packed(c, found))
}

// marksOnce reads the marks once that are those of several charts.
type marksOnce struct {
	Metrics
	known map[string][]charts.Mark
}

// Marks returns the marks of some queues, as charts.Source has them.
func (m *marksOnce) Marks(ctx context.Context, queues []string, from, to time.Time) ([]charts.Mark, error) {
	key := fmt.Sprint(queues, from.Unix(), to.Unix())
	if list, known := m.known[key]; known {
		return list, nil
	}
	list, err := m.Metrics.Marks(ctx, queues, from, to)
	if err == nil {
		m.known[key] = list
	}
	return list, err
}

func (s *Server) tellChart(ctx context.Context, from Metrics, address string, told *toldChart) error {
	spec, err := s.newsOf(ctx, from, address)
	if _, said, ok := wrong(err); ok {
		told.Status, told.Detail = http.StatusUnprocessableEntity, said
		return nil
	}
	told.Spec, told.Status = &spec, http.StatusOK
	return err
}

// newsOf reads what is new of a chart.
func (s *Server) newsOf(ctx context.Context, from Metrics, address string) (charts.Spec, error) {
	q, err := url.ParseQuery(address)
	if err != nil {
		return charts.Spec{}, errs.Field("c", "this is no address of a chart")
	}
	chart, err := charts.Parse(q)
	if err != nil {
		return charts.Spec{}, err
	}
	at, err := charts.ParseSpan(q, s.Now())
	if err != nil {
		return charts.Spec{}, err
	}
	if q.Get("after") == "" {
		return chart.Spec(ctx, from, at)
	}
	seen, err := strconv.ParseInt(q.Get("after"), 10, 64)
	if err != nil || seen < 0 || seen > 253402300799 {
		return charts.Spec{}, errs.Field("after", "seconds since 1970 are wanted")
	}
	return chart.News(ctx, from, at, time.Unix(seen, 0))
}

// chartTable shows the numbers of a chart, the newest first.
func (s *Server) chartTable(c echo.Context) error {
	chart, at, spec, err := s.chartOf(c)
	if err != nil {
		return err
	}
	v := templates.ChartTable{
		Title: firstOf(chart.Title, "Chart"), Note: "in steps of " + templates.Span(at.Step),
		CSV: "/charts/csv?" + c.QueryString(),
	}
	for _, l := range spec.Lines {
		v.Lines = append(v.Lines, l.Label+unitWords[l.Unit])
	}
	for i := at.Points() - 1; i >= 0; i-- {
		begins := at.From.Add(time.Duration(i) * at.Step)
		r := templates.ChartTableRow{At: begins.Format("2006-01-02 15:04:05")}
		for _, m := range spec.Marks {
			if t := time.Unix(m.At, 0); !t.Before(begins) && t.Before(begins.Add(at.Step)) {
				r.Marks = append(r.Marks, m.Text)
			}
		}
		for _, l := range spec.Lines {
			r.Values = append(r.Values, figureText(l.Values[i]))
		}
		v.Rows = append(v.Rows, r)
	}
	f := frame{title: v.Title, section: "Metrics", crumbs: []templates.Crumb{{Word: "Metrics", Href: "/charts"}, {Word: v.Title}}}
	return s.dialog(c, http.StatusOK, f, templates.ChartTablePage(v))
}

// unitWords stand behind the name of a line in a table.
var unitWords = map[string]string{"rate": ", a second", "ms": ", ms", "bytes": ", bytes", "bytes_rate": ", bytes a second"}

// figureText writes a value with four digits that mean something.
func figureText(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', max(4, len(strconv.FormatInt(int64(*v), 10))), 64)
}

// chartCSV is a chart for a spreadsheet: a row for each step, empty where nothing is known.
func (s *Server) chartCSV(c echo.Context) error {
	_, at, spec, err := s.chartOf(c)
	if err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, "text/csv; charset=utf-8")
	h.Set(echo.HeaderContentDisposition, `attachment; filename="chart.csv"`)
	w := csv.NewWriter(c.Response())
	head := []string{"time"}
	for _, l := range spec.Lines {
		head = append(head, cell(l.Label))
	}
	_ = w.Write(head) // an error stays with the writer
	for i := range at.Points() {
		row := []string{at.From.Add(time.Duration(i) * at.Step).Format(time.RFC3339)}
		for _, l := range spec.Lines {
			text := ""
			if v := l.Values[i]; v != nil {
				text = strconv.FormatFloat(*v, 'f', -1, 64)
			}
			row = append(row, text)
		}
		_ = w.Write(row)
	}
	w.Flush()
	return w.Error()
}

// cell is a text for a spreadsheet, which would reckon with one that begins like a formula.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

// figureOf is a chart as a page shows it.
func figureOf(id string, chart charts.Chart, at charts.Span) templates.Figure {
	if chart.Wrong != "" {
		return templates.Figure{ID: id, Title: firstOf(chart.Title, "Chart"), Wrong: "This chart cannot be drawn, and stays as it was saved: " + chart.Wrong}
	}
	q := chart.Query()
	for name, values := range at.Query() {
		q[name] = values
	}
	text := q.Encode()
	return templates.Figure{ID: id, Title: firstOf(chart.Title, "Chart"), Data: text, Table: "/charts/table?" + text, Explore: "/charts?" + text}
}

// figures are the charts of a page.
func figures(at charts.Span, list ...charts.Chart) []templates.Figure {
	all := make([]templates.Figure, len(list))
	for i, chart := range list {
		all[i] = figureOf(fmt.Sprintf("chart-%d", i+1), chart, at)
	}
	return all
}

// spanPick offers the times of a page, whose other parameters stay, a step that was chosen where it fits. said is what is wrong with that in the address.
func spanPick(c echo.Context, at charts.Span, said string) templates.SpanPick {
	kept := url.Values{}
	for name, values := range c.QueryParams() {
		if !slices.Contains([]string{"range", "from", "to", "step"}, name) {
			kept[name] = values
		}
	}
	path := c.Request().URL.Path
	all := maps.Clone(kept)
	if at.Chosen != "" {
		all.Set("step", at.Chosen)
	}
	p := templates.SpanPick{Wrong: said, Path: path, Kept: hidden(all), From: at.From.UTC().Format(charts.Minutes), To: at.To.UTC().Format(charts.Minutes)}
	for _, r := range charts.Ranges {
		q := maps.Clone(kept)
		q.Set("range", r.Word)
		if slices.ContainsFunc(charts.StepsOf(at.To.Add(-r.Over), at.To), func(s charts.Step) bool { return s.Word == at.Chosen }) {
			q.Set("step", at.Chosen)
		}
		p.Ranges = append(p.Ranges, templates.Place{Word: r.Word, Href: path + "?" + q.Encode(), Here: r.Word == at.Range})
	}
	if at.Range == "" {
		p.Chosen = at.From.Format("2 Jan 15:04:05") + " to " + at.To.Format("2 Jan 15:04:05 UTC")
		p.Clear = path + "?" + kept.Encode()
	}
	return p
}

// pageSpan is the time of a page's charts, and how it is picked. In the place of a wrong one in its address, or of a wrong step, stands the
// default, and the page says so.
func (s *Server) pageSpan(c echo.Context) (charts.Span, templates.SpanPick) {
	at, err := charts.ParseSpan(c.QueryParams(), s.Now())
	said := ""
	switch field, why, _ := wrong(err); {
	case field == "step":
		said = "The step in the address cannot be shown: " + why + ". The automatic one is shown instead."
	case err != nil:
		at, _ = charts.ParseSpan(nil, s.Now())
		said = "The time in the address cannot be shown: " + err.Error() + ". The last hour is shown instead."
	}
	return at, spanPick(c, at, said)
}

// stepsOf are the steps that can be chosen for a time, and the fields that keep that time without its step.
func stepsOf(at charts.Span) ([]templates.Option, []templates.Field) {
	auto := at
	auto.Chosen = ""
	list := []templates.Option{{Word: "automatic"}}
	for _, s := range charts.StepsOf(at.From, at.To) {
		list = append(list, templates.Option{Value: s.Word, Word: templates.Span(s.Width)})
	}
	return list, hidden(auto.Query())
}

const exploreQueues = 200 // that are listed to choose from

// explorePage is where one puts a chart together.
func (s *Server) explorePage(c echo.Context) error {
	ctx := c.Request().Context()
	q := c.QueryParams()
	at, span := s.pageSpan(c)
	v := templates.ExploreView{Span: span, Stack: q.Get("stack") == "1", Compare: q.Get("compare") == "1", MaySave: may(c, auth.Share), Step: at.Chosen}
	v.Steps, v.SpanFields = stepsOf(at)
	chart, err := charts.Parse(q)
	if field, said, ok := wrong(err); ok && (q.Has("m") || field != "m") {
		v.Wrong = "This chart cannot be drawn: " + said
	}
	names, err := s.Engine.Names(ctx)
	if err != nil {
		return err
	}
	for i, name := range names {
		chosen := slices.Contains(chart.Queues, name)
		if i >= exploreQueues && !chosen {
			v.MoreQueues++
			continue
		}
		v.Queues = append(v.Queues, templates.Choice{Name: name, Word: name, Chosen: chosen})
	}
	custom, err := s.Metrics.Names(ctx, chart.Queues)
	if err != nil {
		return err
	}
	for _, m := range slices.Concat(charts.Core, custom) {
		choice := templates.MetricChoice{Name: m.Name, Kind: m.Kind}
		for _, agg := range m.Aggs() {
			choice.Aggs = append(choice.Aggs, templates.Choice{Name: agg, Word: agg, Chosen: slices.Contains(chart.Measures, charts.Measure{Metric: m.Name, Agg: agg})})
		}
		v.Metrics = append(v.Metrics, choice)
	}
	if len(chart.Measures) > 0 && v.Wrong == "" {
		chart.Title = firstOf(chart.Title, chart.Words())
		f := figureOf("chart-1", chart, at)
		f.Explore = ""
		v.Figure, v.SaveTitle = &f, chart.Title
		chart.Title = ""
		v.SaveFields = hidden(chart.Query())
	}
	if err := s.listDashboards(ctx, &v); err != nil {
		return err
	}
	return s.page(c, frame{title: "Metrics", section: "Metrics", crumbs: []templates.Crumb{{Word: "Metrics"}}, live: true, charts: true}, templates.Explore(v))
}
