package browser_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/fetchq/server/internal/auth"
)

// shapes are what pages are looked at in.
var shapes = []struct {
	name          string
	width, height int64
	scheme        string
}{
	{"light", 1280, 900, "light"}, {"dark", 1280, 900, "dark"}, {"phone", 360, 740, "light"}, {"phone-dark", 360, 740, "dark"},
}

// shape gives the tab a size and the system's theme.
func (p *tab) shape(width, height int64, scheme string) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(width, height))
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	// Two frames later everything is drawn anew.
	get[bool](p, `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`)
}

// axe is the text of axe-core; it is evaluated by the tools, which no Content-Security-Policy holds back.
func axe(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatalf("axe-core is not there, npm ci brings it: %v", err)
	}
	return string(text)
}

// askAxe asks for what %s says. It leaves style sheets alone, which axe would load once more for each look: only a rule wants them that is
// an experiment of theirs, and not among these.
const askAxe = `axe.run(document, { runOnly: %s, resultTypes: ['violations'], preload: { assets: ['media'] } })
	.then((r) => r.violations.map((v) => v.id + ' (' + v.help + ') at ' + v.nodes.length + ' places, such as ' + v.nodes.slice(0, 2).map((n) =>
		n.target.join(' ') + ' ' + n.html.slice(0, 150) + ' ' + [...n.any, ...n.all, ...n.none].map((a) => a.message).join('; ')).join('\n   and ')))`

const (
	allRules    = `['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']`
	colourRules = `{ type: 'rule', values: ['color-contrast', 'link-in-text-block'] }`
)

// seenSo says whether the page was seen in the same outline before. That is all that the rules read of a page but its colours: its
// elements, their places, and whether they are shown. The theme is a class of the root alone. The page keeps its outlines itself, for
// they are long.
const seenSo = `(() => {
	const outline = [...document.querySelectorAll('head *, body, body *')].map((el) => {
		const box = el.getBoundingClientRect();
		const shown = el.checkVisibility({ visibilityProperty: true, opacityProperty: true });
		return [el.tagName, ...[...el.attributes].map((a) => a.name + '=' + a.value), shown, box.x, box.y, box.width, box.height].join(' ');
	}).join('\n') + document.documentElement.textContent;
	const seen = window.outlines ??= new Set();
	return seen.has(outline) || !seen.add(outline);
})()`

// tooWide names what stands beyond the right edge.
const tooWide = `(() => {
	const width = document.documentElement.clientWidth;
	if (document.scrollingElement.scrollWidth <= width) return '';
	const wide = [...document.querySelectorAll('body *')].filter((el) => el.getBoundingClientRect().right > width + 1 && !el.closest('.scroll, .sr-only'));
	return document.scrollingElement.scrollWidth + ' > ' + width + ': ' + wide.slice(-3).map((el) => el.outerHTML.slice(0, 150)).join(' | ');
})()`

// whole makes the tab as high as its page, for axe finds fault with a link that a bar at the edge covers by half, and which one that is
// depends on where the page was scrolled to.
func (p *tab) whole(width, height int64, scheme string) {
	p.t.Helper()
	p.shape(width, height, scheme)
	if all := get[int64](p, `document.scrollingElement.scrollHeight`); all > height {
		p.shape(width, all, scheme)
	}
}

// look wants a page to pass in all shapes; it is opened once, and changes under the eyes of the browser. Where a shape differs from one
// that has passed by its colours alone, these are what is looked at.
func (p *tab) look(axe string, page place) {
	p.t.Helper()
	p.allow(page.says)
	p.shape(shapes[0].width, shapes[0].height, shapes[0].scheme)
	p.visit(page.path)
	if page.act != nil {
		page.act(p)
	}
	get[bool](p, axe+";\ntrue")
	for _, shape := range shapes {
		p.whole(shape.width, shape.height, shape.scheme)
		rules := allRules
		if get[bool](p, seenSo) {
			rules = colourRules
		}
		if found := get[[]string](p, fmt.Sprintf(askAxe, rules)); len(found) > 0 {
			p.t.Errorf("%s, %s: axe finds:\n%s", page.name, shape.name, strings.Join(found, "\n"))
		}
		if found := get[string](p, tooWide); found != "" {
			p.t.Errorf("%s, %s: too wide: %s", page.name, shape.name, found)
		}
	}
}

// TestAxeFindsNothingAndNothingIsTooWide looks at every page in both themes, on a desk and on a phone.
func TestAxeFindsNothingAndNothingIsTooWide(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	text := axe(t)
	empty := s.as(t, auth.RoleAdmin)
	for _, page := range []place{{name: "overview-empty", path: "/"}, {name: "queues-empty", path: "/queues"}, {name: "errors-empty", path: "/errors"}, {name: "operations-empty", path: "/operations"}} {
		empty.look(text, page)
	}
	s.world()
	all := s.places()
	for _, part := range [][]place{all[:len(all)/2], all[len(all)/2:]} {
		t.Run(part[0].name+" to "+part[len(part)-1].name, func(t *testing.T) {
			t.Parallel()
			tabs := map[auth.Role]*tab{"": s.open(t), auth.RoleViewer: s.as(t, auth.RoleViewer), auth.RoleAdmin: s.as(t, auth.RoleAdmin)}
			for _, page := range part {
				tabs[page.role].look(text, page)
			}
		})
	}
}
