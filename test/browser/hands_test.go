package browser_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// call sends a command of the protocol, and wants success.
func call[P, R any](p *tab, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	answer, err := chromedp.Call(ctx, command, params)
	if err != nil {
		p.t.Fatalf("%T: %v", params, err)
	}
	return answer
}

// visit opens a path of the site and waits until it has loaded.
func (p *tab) visit(path string) {
	p.t.Helper()
	target := path
	if strings.HasPrefix(path, "/") {
		target = p.site.url + path
	}
	p.do(chromedp.Navigate(target))
}

// until waits until an expression is true.
func (p *tab) until(what, expression string) {
	p.t.Helper()
	p.within(patience, what, expression)
}

func (p *tab) within(d time.Duration, what, expression string) {
	p.t.Helper()
	var last error
	for deadline := time.Now().Add(d); time.Now().Before(deadline); time.Sleep(pollEvery) {
		ok, err := eval[bool](p, "!!("+expression+")")
		if ok {
			return
		}
		last = err
	}
	p.t.Fatalf("%s did not come about (%s; %v), at %s", what, expression, last, p.where())
}

const shown = `document.body.innerText.replace(/\s+/g, ' ')`

// see waits until the page shows each of these texts.
func (p *tab) see(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		p.until(fmt.Sprintf("the text %q", text), shown+`.includes(`+quote(text)+`)`)
	}
}

// gone waits until the page does not show a text any more.
func (p *tab) gone(text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("the end of the text %q", text), `!`+shown+`.includes(`+quote(text)+`)`)
}

// there waits for an element.
func (p *tab) there(selector string) {
	p.t.Helper()
	p.until("the element "+selector, `document.querySelector(`+quote(selector)+`)`)
}

// at waits until the tab has loaded a path with its query.
func (p *tab) at(path string) {
	p.t.Helper()
	p.until("the page "+path, `document.readyState === 'complete' && location.pathname + location.search === `+quote(path))
}

// count returns how many elements match.
func (p *tab) count(selector string) int {
	p.t.Helper()
	return get[int](p, `document.querySelectorAll(`+quote(selector)+`).length`)
}

// text returns what an element says.
func (p *tab) text(selector string) string {
	p.t.Helper()
	p.there(selector)
	return get[string](p, `document.querySelector(`+quote(selector)+`).innerText.trim()`)
}

// spot finds where to click: the middle of the first element that matches, says the text, works, and is not covered.
const spot = `((selector, text) => {
  if (document.readyState !== 'complete') return { x: 0, y: 0, why: 'the page is loading' };
  let why = 'nothing matches';
  for (const el of document.querySelectorAll(selector)) {
    const said = ((el.getAttribute('aria-label') ?? '') + ' ' + el.textContent).replace(/\s+/g, ' ');
    if (!said.includes(text)) continue;
    if (el.disabled) { why = 'it is disabled'; continue; }
    el.scrollIntoView({ block: 'center', inline: 'nearest', behavior: 'instant' });
    const box = el.getClientRects()[0];
    if (!box || !box.width || !box.height) { why = 'it is not shown'; continue; }
    const x = box.left + box.width / 2, y = box.top + box.height / 2;
    const top = document.elementFromPoint(x, y);
    if (!top || !(el.contains(top) || top.contains(el) && top.tagName === 'LABEL')) { why = 'it is covered by ' + top?.outerHTML.slice(0, 200); continue; }
    return { x, y, why: '' };
  }
  return { x: 0, y: 0, why };
})`

// click clicks with the mouse on the first element that matches and says a text ("": any), as soon as that can be done and
// the element stands still.
func (p *tab) click(selector, text string) {
	p.t.Helper()
	type place struct {
		X   float64 `json:"x"`
		Y   float64 `json:"y"`
		Why string  `json:"why"`
	}
	var found, before place
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(pollEvery) {
		found, err = eval[place](p, spot+`(`+quote(selector)+`,`+quote(text)+`)`)
		if err == nil && found.Why == "" && found == before {
			p.do(chromedp.MouseClickXY(found.X, found.Y))
			return
		}
		before = found
	}
	p.t.Fatalf("cannot click on %s %q: %s %v, at %s", selector, text, found.Why, err, p.where())
}

// fill puts a text into a field in place of what stands there.
func (p *tab) fill(selector, text string) {
	p.t.Helper()
	p.click(selector, "")
	get[bool](p, `(document.querySelector(`+quote(selector)+`).select(), true)`)
	p.write(text)
}

// write puts a text where the cursor is.
func (p *tab) write(text string) {
	p.t.Helper()
	call(p, input.InsertText, input.InsertTextParams{Text: text})
}

// choose takes an option of a select.
func (p *tab) choose(selector, option string) {
	p.t.Helper()
	p.there(selector)
	get[bool](p, `((el, v) => { el.value = v; el.dispatchEvent(new Event('change', { bubbles: true })); return el.value === v; })(document.querySelector(`+
		quote(selector)+`),`+quote(option)+`)`)
}

// press presses keys, one after the other. Each goes down with the text that it writes, so that a page can keep it from
// being written; chromedp.KeyEvent writes it whatever the page says.
func (p *tab) press(keys ...string) {
	p.t.Helper()
	for _, key := range strings.Join(keys, "") {
		events := kb.Encode(key)
		down, up := events[0], events[len(events)-1]
		if len(events) > 2 {
			down.Type, down.Text, down.UnmodifiedText = input.DispatchKeyEventTypeKeyDown, events[1].Text, events[1].UnmodifiedText
		}
		call(p, input.DispatchKeyEvent, *down)
		call(p, input.DispatchKeyEvent, *up)
	}
}

// path returns where the tab is.
func (p *tab) path() string {
	p.t.Helper()
	u, err := url.Parse(get[string](p, `location.href`))
	if err != nil {
		p.t.Fatal(err)
	}
	return u.RequestURI()
}
