package browser_test

import (
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"

	"github.com/fetchq/server/internal/auth"
)

const banner = "The server does not answer."

// TestTheServerGoesAndComesBack kills the program under an open page, and wants the page to say so and to recover by itself.
func TestTheServerGoesAndComesBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages", "a")
	p := s.as(t, auth.RoleOperator)
	p.allow("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "ERR_INCOMPLETE_CHUNKED_ENCODING", "console.error: \"htmx:")
	p.visit("/queues/pages")
	p.there(`#refresh[data-state="live"]`)
	p.mark()
	p.click("a", "Pause…")
	p.fill("#f-reason", "nobody is there")
	s.kill()
	p.until("the banner", `document.getElementById('lost').hidden === false`)
	p.see("Connection lost")
	p.click("#dialog button", "Pause")
	p.see("The server does not answer. Nothing was changed; try again.")
	if got := get[string](p, `document.getElementById('f-reason').value`); got != "nobody is there" {
		t.Errorf("the form holds %q", got)
	}
	s.start()
	p.click("#dialog a", "Cancel")
	p.within(45*time.Second, "the end of the banner", `document.getElementById('lost').hidden`)
	s.push("pages", "b")
	p.within(25*time.Second, "2 pending", pendingTile+` === '2'`) // the program that was killed may have held the fold, for 10 seconds
	p.there(`#refresh[data-state="live"]`)
	p.stillMarked()
}

// TestTheNetworkGoesAndComesBack takes the network from the browser and gives it back.
func TestTheNetworkGoesAndComesBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages", "a")
	p := s.as(t, auth.RoleOperator)
	p.allow("ERR_INTERNET_DISCONNECTED")
	p.visit("/queues/pages")
	p.there(`#refresh[data-state="live"]`)
	p.mark()
	offline := func(off bool) {
		t.Helper()
		call(p, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: off, DownloadThroughput: -1, UploadThroughput: -1})
		call(p, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
			MatchedNetworkConditions: []*network.Conditions{{Offline: off, DownloadThroughput: -1, UploadThroughput: -1}},
		})
	}
	offline(true)
	p.press("r") // who asks is told at once; the stream of a shared worker is not cut by the tools of its tab
	p.until("the banner", `document.getElementById('lost').hidden === false`)
	p.see(banner)
	offline(false)
	p.until("the end of the banner", `document.getElementById('lost').hidden`)
	s.push("pages", "b")
	p.until("2 pending", pendingTile+` === '2'`)
	p.stillMarked()
}
