package main

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fetchq/server/internal/charts"
	"github.com/fetchq/server/test/bench/serve"
)

// Timing of web/static/js/charts.js.
const (
	chartsGap    = 30 * time.Second // the least time between two looks for what is new in an hour
	chartsAtOnce = 8                // charts that are asked for at once
)

var figure = regexp.MustCompile(`data-chart="([^"]*)"`)

// figures are the charts of an open page.
type figures struct {
	asked time.Time
	seen  map[string]int64 // the last step of each of which something is known
}

// ask does what charts.js does: it asks for what is new of all charts of a page.
func (f *figures) ask(ctx context.Context, s *server, page serve.Page, size *atomic.Int64) error {
	if time.Since(f.asked) < chartsGap {
		return nil
	}
	f.asked = time.Now()
	shown, err := page.Plain()
	if err != nil {
		return err
	}
	var addresses []string
	for _, m := range figure.FindAllSubmatch(shown, -1) {
		addresses = append(addresses, html.UnescapeString(string(m[1])))
	}
	seen := map[string]int64{}
	for some := range slices.Chunk(addresses, chartsAtOnce) {
		q := url.Values{}
		for _, address := range some {
			if at, known := f.seen[address]; known {
				q.Add("c", fmt.Sprintf("%s&after=%d", address, at))
			} else {
				q.Add("c", address)
			}
		}
		a, err := s.browser.Get(ctx, "/charts/data?"+q.Encode(), true)
		if err != nil {
			return err
		}
		size.Add(int64(len(a.Body)))
		var told []struct {
			Status int         `json:"status"`
			Spec   charts.Spec `json:"spec"`
		}
		text, err := a.Plain()
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, &told); err != nil {
			return fmt.Errorf("charts of a page: %w", err)
		}
		for i, t := range told {
			if t.Status != http.StatusOK {
				return fmt.Errorf("the chart %s answers %d", some[i], t.Status)
			}
			last := -1
			for _, l := range t.Spec.Lines {
				for n, v := range l.Values {
					if v != nil {
						last = max(last, n)
					}
				}
			}
			if last >= 0 {
				seen[some[i]] = t.Spec.From + int64(t.Spec.First+last)*t.Spec.Step
			}
		}
	}
	f.seen = seen
	return nil
}
