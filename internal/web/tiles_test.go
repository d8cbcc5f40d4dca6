package web_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/metrics"
)

// TestTilesOfNumbersHaveALine wants one of the last 15 minutes on each tile that says how many documents stand somewhere.
func TestTilesOfNumbersHaveALine(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages")
	now := time.Now()
	read := make(chan struct{}, 1)
	recent := metrics.New(func(context.Context) ([]metrics.Sample, error) {
		select {
		case read <- struct{}{}:
		default:
		}
		return []metrics.Sample{{Queue: "pages", Created: now, Pending: 3, Active: 2, Killed: 1}}, nil
	}, nil, time.Now, slog.New(slog.DiscardHandler))
	if err := recent.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-read
	recent.Stop() // which waits for the sample that was read
	s.pages.Recent = recent
	b := s.as(auth.RoleViewer)
	for _, path := range []string{"/", "/queues/pages"} {
		p := b.get(path).must(t, http.StatusOK)
		for word, want := range map[string]int{"Pending": 1, "Active": 1, "Killed": 1, "Oldest due": 0} {
			if n := p.Find(`[data-tile="` + word + `"] svg[aria-label="` + word + `, the last 15 minutes"]`).Length(); n != want {
				t.Errorf("%s: %s has %d lines; %d are right", path, word, n, want)
			}
		}
		for word, color := range map[string]string{"Active": "text-active", "Killed": "text-killed"} {
			if line, known := p.Find(`[data-tile="` + word + `"] svg.` + color + ` path`).Attr("d"); !known || line == "" {
				t.Errorf("%s: the line of %s is not drawn", path, word)
			}
		}
	}
}
