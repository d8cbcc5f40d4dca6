package browser_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"

	"github.com/fetchq/server/internal/auth"
)

// drawn waits until a figure shows lines.
func (p *tab) drawn(figure string) {
	p.t.Helper()
	p.there(figure + `[data-state="drawn"] canvas`)
}

// plot returns where the plot of a figure is on the screen, without its axes.
func (p *tab) plot(figure string) (left, top, width, height float64) {
	p.t.Helper()
	p.drawn(figure)
	box := get[[]float64](p, `(() => {
		const over = document.querySelector(`+quote(figure+" .u-over")+`);
		over.scrollIntoView({ block: 'center', behavior: 'instant' });
		const box = over.getBoundingClientRect();
		return [box.left, box.top, box.width, box.height];
	})()`)
	return box[0], box[1], box[2], box[3]
}

func (p *tab) mouse(kind input.DispatchMouseEventType, x, y float64) {
	p.t.Helper()
	params := input.DispatchMouseEventParams{Type: kind, X: x, Y: y}
	if kind != input.DispatchMouseEventTypeMouseMoved {
		params.Button, params.ClickCount = input.MouseButtonLeft, 1
	}
	call(p, input.DispatchMouseEvent, params)
}

// ink is a picture of what a figure has drawn.
func (p *tab) ink(figure string) string {
	p.t.Helper()
	return get[string](p, `document.querySelector(`+quote(figure+" canvas")+`).toDataURL()`)
}

// drag draws the mouse over a figure from one place to another.
func (p *tab) drag(from, to, y float64) {
	p.t.Helper()
	p.mouse(input.DispatchMouseEventTypeMouseMoved, from, y)
	p.mouse(input.DispatchMouseEventTypeMousePressed, from, y)
	p.mouse(input.DispatchMouseEventTypeMouseMoved, (from+to)/2, y)
	p.mouse(input.DispatchMouseEventTypeMouseMoved, to, y)
	p.mouse(input.DispatchMouseEventTypeMouseReleased, to, y)
	p.until("the range in the address", `document.readyState === 'complete' && location.search.includes('from=') && !location.search.includes('range=')`)
}

// span is the time between from and to in the address.
func (p *tab) span() time.Duration {
	p.t.Helper()
	q, err := url.Parse(get[string](p, `location.href`))
	if err != nil {
		p.t.Fatal(err)
	}
	begin, err1 := time.Parse(time.RFC3339, q.Query().Get("from"))
	end, err2 := time.Parse(time.RFC3339, q.Query().Get("to"))
	if err1 != nil || err2 != nil {
		p.t.Errorf("the address has %s", q.RawQuery)
	}
	return end.Sub(begin)
}

func TestADragIsTheRangeOfThePage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages")
	s.past(20*time.Minute, "pages")
	p := s.as(t, auth.RoleViewer)
	p.visit("/queues/pages?range=15m")
	left, top, width, height := p.plot("#chart-1")
	from, to := left+width/3, left+width*2/3
	p.drag(from, to, top+height/2)
	if over := p.span(); over < 4*time.Minute || over > 6*time.Minute {
		t.Errorf("a third of 15 minutes became %v", over)
	}
	p.drawn("#chart-1")
	p.see("Back to now")
	get[bool](p, `(history.back(), true)`)
	p.at("/queues/pages?range=15m")
	p.drawn("#chart-1")
}

func TestADragOfLessThanAMinuteShowsAMinute(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages")
	s.past(20*time.Minute, "pages")
	p := s.as(t, auth.RoleViewer)
	p.visit("/queues/pages?range=15m")
	left, top, width, height := p.plot("#chart-1")
	p.drag(left+width/2, left+width/2+10, top+height/2)
	if over := p.span(); over != time.Minute {
		t.Errorf("a few seconds became %v", over)
	}
	p.see("Back to now")
	p.gone("The time in the address cannot be shown")
	p.drawn("#chart-1")
}

func TestTheCrosshairIsThatOfAllCharts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages")
	s.past(20*time.Minute, "pages")
	s.api("POST", "/marks", `{"text":"v2.0.1","at":"-5m"}`)
	p := s.as(t, auth.RoleViewer)
	p.visit("/queues/pages?range=15m")
	p.drawn("#chart-2")
	left, top, width, height := p.plot("#chart-1")
	p.mouse(input.DispatchMouseEventTypeMouseMoved, left+width/2, top+height/2)
	moment := `document.querySelector('#chart-%d [data-when]').textContent`
	p.until("the moment under the crosshair", fmt.Sprintf(moment, 1)+` !== ''`)
	p.until("the same moment in the second chart", fmt.Sprintf(moment, 1)+` === `+fmt.Sprintf(moment, 2))
	// Over the mark the charts say what it was.
	found := false
	for x := left + width*0.55; x < left+width*0.75 && !found; x += 2 {
		p.mouse(input.DispatchMouseEventTypeMouseMoved, x, top+height/2)
		found = strings.Contains(get[string](p, fmt.Sprintf(moment, 1)), "v2.0.1")
	}
	if !found {
		t.Error("the mark is not told where it stands")
	}
	p.click(`#chart-1 a`, "Table")
	p.there("#dialog[open] table[data-numbers]")
	if !strings.Contains(p.text("#dialog table[data-numbers]"), "v2.0.1") {
		t.Error("the table does not have the mark")
	}
}

func TestTheLegendTurnsLinesOffAndOn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages")
	s.past(20*time.Minute, "pages")
	p := s.as(t, auth.RoleViewer)
	moment := func(ago time.Duration) string { return time.Now().Add(-ago).UTC().Format(time.RFC3339) }
	p.visit("/queues/pages?from=" + moment(16*time.Minute) + "&to=" + moment(2*time.Minute)) // nothing new comes into it
	p.drawn("#chart-1")
	if p.text(`#chart-1 [data-legend]`) == "" || p.count(`#chart-1 [data-legend] button[aria-pressed="true"]`) != 2 {
		t.Fatalf("the legend is %q", p.text(`#chart-1 [data-legend]`))
	}
	both := p.ink("#chart-1")
	p.click(`#chart-1 [data-legend] button`, "entered")
	p.there(`#chart-1 [data-legend] button[aria-pressed="false"]`)
	p.until("one line less", `document.querySelector('#chart-1 canvas').toDataURL() !== `+quote(both))
	p.click(`#chart-1 [data-legend] button`, "entered")
	p.until("all lines again", `document.querySelector('#chart-1 canvas').toDataURL() === `+quote(both))
}

func TestAChartGoesOnWithoutBeingDrawnAnew(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages")
	s.past(20*time.Minute, "pages")
	p := s.as(t, auth.RoleViewer)
	p.visit("/queues/pages?range=15m")
	p.drawn("#chart-1")
	p.there(`#refresh[data-state="live"]`)
	p.mark()
	before := p.ink("#chart-1")
	get[bool](p, `(() => {
		const figure = document.querySelector('#chart-1');
		window.canvas = figure.querySelector('canvas');
		window.states = [];
		new MutationObserver(() => window.states.push(figure.dataset.state)).observe(figure, { attributes: true, attributeFilter: ['data-state'] });
		return true;
	})()`)
	s.push("pages", "a")
	p.within(4*patience, "a new value", `document.querySelector('#chart-1 canvas').toDataURL() !== `+quote(before))
	if !get[bool](p, `performance.getEntriesByType('resource').some((e) => e.name.includes('/charts/data?') && e.name.includes('%26after%3D'))`) {
		t.Error("all of the chart was asked for again, not what is new of it")
	}
	if !get[bool](p, `window.canvas.isConnected && window.canvas === document.querySelector('#chart-1 canvas')`) {
		t.Error("the chart was drawn anew")
	}
	if states := get[[]string](p, `window.states`); len(states) > 0 {
		t.Errorf("meanwhile it was %q", states)
	}
	p.stillMarked()
}

func TestADashboardIsSharedByItsAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages")
	s.past(20*time.Minute, "pages")
	p := s.as(t, auth.RoleOperator)
	p.visit("/charts?range=15m")
	p.click(`input[name="queue"][value="pages"]`, "")
	p.click(`input[name="m"][value="processed:rate"]`, "")
	p.click(`input[name="m"][value="parse:p95"]`, "")
	p.click("button", "Draw")
	p.drawn("#chart-1")
	if got := p.count("#chart-1 .u-axis"); got != 3 {
		t.Errorf("a rate and a time have %d axes with that of the time; 3 are wanted", got)
	}
	p.fill(`input[name="title"]`, "Speed of the parser")
	p.fill(`input[name="name"]`, "Night watch")
	p.click("button", "Save")
	p.see("The chart stands on Night watch now.", "Speed of the parser")
	p.drawn("#chart-1")
	link := get[string](p, `location.pathname`)
	other := s.as(t, auth.RoleViewer)
	other.visit(link + "?range=15m")
	other.see("Night watch", "Speed of the parser")
	other.drawn("#chart-1")
	if got := other.text("#chart-1 [data-legend]"); !strings.Contains(got, "parse") || !strings.Contains(got, "processed") {
		t.Errorf("its lines are %q", got)
	}
	other.gone("Delete the dashboard")
	other.visit("/charts")
	other.see("Night watch")
}
