package web_test

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"github.com/fetchq/server/internal/auth"
)

func TestTheStreamTellsWhichQueueChanged(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages", "images")
	b := s.as(auth.RoleViewer)
	b.get("/queues").must(t, http.StatusOK) // what the board has not seen before, it tells without names
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	resp := b.send(ctx, http.MethodGet, "/events", nil)
	defer resp.Body.Close()
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("the stream is %s", kind)
	}
	events := make(chan string)
	go func() {
		defer close(events)
		buffer := make([]byte, 4096)
		for {
			n, err := resp.Body.Read(buffer)
			if err != nil {
				return
			}
			events <- string(buffer[:n])
		}
	}()
	if first := <-events; !strings.Contains(first, "event: hello") || !strings.Contains(first, `"trouble":0`) {
		t.Errorf("the first event is %q", first)
	}
	version := b.get("/queues").must(t, http.StatusOK).Find("#live").AttrOr("data-version", "") // the board has seen both
	told := func(part string) string {
		t.Helper()
		var all []string
		for text := range events {
			if strings.Contains(text, part) {
				return text
			}
			all = append(all, text)
		}
		t.Fatalf("the stream ended without %s: %q", part, all)
		return ""
	}
	s.push("pages", "a")
	if text := told(`"queues":["pages"]`); !strings.Contains(text, "event: changed") || version == "" || strings.Contains(text, version) {
		t.Errorf("it tells %q after the version %q", text, version)
	}
	part := b.get("/queues", "Fetchq-Live", "1").must(t, http.StatusOK)
	if got := part.header.Get("Fetchq-Version"); got == "" || got == version {
		t.Errorf("the page is at version %q after a change at %q", got, version)
	}
	operator := s.as(auth.RoleOperator)
	operator.post("/queues/pause", url.Values{"queue": {"pages"}}).must(t, http.StatusSeeOther)
	told(`"trouble":1`)
	s.pages.Stop()
	for range events {
	}
	if ctx.Err() != nil {
		t.Error("a stream outlives its server")
	}
}

func TestALivePageAnswersItsLivePartAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages")
	b := s.as(auth.RoleViewer)
	for _, path := range []string{"/", "/queues", "/queues/pages", "/queues/pages/documents", "/queues/pages/errors", "/errors"} {
		whole, part := b.get(path).must(t, http.StatusOK), b.get(path, "Fetchq-Live", "1").must(t, http.StatusOK)
		if whole.Find("#live").Length() != 1 || whole.Find(".rail").Length() != 1 {
			t.Errorf("%s has no live part in a frame", path)
		}
		if part.Find(".rail, #live, html head title").Length() != 0 || part.Find("h1").Length() != 1 {
			t.Errorf("%s answers more than its live part", path)
		}
	}
	s.nobody().get("/queues", "Fetchq-Live", "1").must(t, http.StatusUnauthorized)
}

func TestALivePartShowsAtOnceWhatWasChangedHere(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages")
	admin, viewer := s.as(auth.RoleAdmin), s.as(auth.RoleViewer)
	for i, path := range []string{"/", "/queues/pages"} {
		paused := func(b *siteBrowser) bool {
			return strings.Contains(b.get(path, "Fetchq-Live", "1").must(t, http.StatusOK).says(".status"), "paused")
		}
		for range 3 { // the first of them keeps what the others would be shown
			if paused(viewer) || paused(admin) {
				t.Fatalf("%s: the queue is shown as paused", path)
			}
			admin.post("/queues/pause", url.Values{"queue": {"pages"}}).must(t, http.StatusSeeOther)
			if !paused(viewer) || !paused(admin) {
				t.Errorf("%s: the queue is not shown as paused", path)
			}
			admin.post("/queues/resume", url.Values{"queue": {"pages"}}).must(t, http.StatusSeeOther)
		}
		button := []string{"a[href='/queues/new']", "a[href^='/queues/pause'], button[disabled]"}[i]
		mine, theirs := admin.get(path, "Fetchq-Live", "1").Find(button), viewer.get(path, "Fetchq-Live", "1").Find(button)
		if htmlOf(mine) == htmlOf(theirs) {
			t.Errorf("%s: a viewer is shown what an admin is", path)
		}
	}
}

func htmlOf(found *goquery.Selection) string {
	text, _ := goquery.OuterHtml(found) // an error is an empty text, which differs
	return text
}

func TestALivePartIsCompressedForWhoTakesThat(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages")
	b := s.as(auth.RoleViewer)
	for _, path := range []string{"/", "/queues/pages"} {
		asIs := b.get(path, "Fetchq-Live", "1", "Accept-Encoding", "identity").must(t, http.StatusOK)
		zipped := b.get(path, "Fetchq-Live", "1", "Accept-Encoding", "gzip").must(t, http.StatusOK)
		if asIs.header.Get("Content-Encoding") != "" || zipped.header.Get("Content-Encoding") != "gzip" || !strings.Contains(asIs.header.Get("Vary"), "Accept-Encoding") {
			t.Errorf("%s: %v and %v", path, asIs.header, zipped.header)
		}
		r, err := gzip.NewReader(strings.NewReader(zipped.body))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil || !strings.Contains(string(text), "<h1") || len(zipped.body) > len(text)/2 {
			t.Errorf("%s: %d bytes of %d, %v", path, len(zipped.body), len(text), err)
		}
		if got := b.get(path).header.Get("Content-Encoding"); got != "" {
			t.Errorf("%s: the whole page came with the encoding %q, which the browser of this test undoes", path, got)
		}
	}
}
