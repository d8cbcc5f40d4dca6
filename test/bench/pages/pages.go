package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/fetchq/server/test/bench/serve"
)

// asset is what a page names of the style sheet, scripts and icons; what stands behind a # is a part of one file.
var asset = regexp.MustCompile(`"(/assets/[^"#]+)`)

// measurePages prints a line for each page.
func (s *server) measurePages(ctx context.Context) error {
	small, large := name(*queues-1), name(0)
	pages := []string{
		"/", "/queues", "/queues?sort=pending&desc=1&page=4", "/queues/" + large, "/queues/" + small,
		"/queues/" + large + "/documents", "/queues/" + large + "/documents?status=pending&size=200", "/queues/" + large + "/documents?subject_prefix=https://queue-000.example/articles/77",
		"/queues/" + large + "/document?subject=https%3A%2F%2Fqueue-000.example%2Farticles%2F100", "/queues/" + large + "/document?subject=https%3A%2F%2Fshared.example%2F",
		"/queues/" + large + "/errors", "/queues/" + large + "/settings", "/errors", "/search?q=https://queue-0", "/search?q=nothing", "/team", "/account",
	}
	fmt.Printf("Each page %d times, one after the other, on an open connection; the browser has the assets.\n\n", *times)
	fmt.Println("| page | first byte p50 ms | p95 | p99 | bytes | gzip | assets |")
	fmt.Println("|---|---:|---:|---:|---:|---:|---:|")
	all := map[string]struct{}{}
	for _, path := range pages {
		firsts := make([]time.Duration, 0, *times)
		var last serve.Page
		for range *times {
			a, err := s.browser.Get(ctx, path, false)
			if err != nil {
				return err
			}
			firsts, last = append(firsts, a.First), a
		}
		text, err := last.Plain()
		if err != nil {
			return err
		}
		mine := map[string]struct{}{}
		for _, m := range asset.FindAllSubmatch(text, -1) {
			mine[string(m[1])], all[string(m[1])] = struct{}{}, struct{}{}
		}
		slices.Sort(firsts)
		at := func(share float64) float64 { return milliseconds(firsts[int(share*float64(len(firsts)-1))]) }
		fmt.Printf("| %s | %.1f | %.1f | %.1f | %d | %d | %d |\n", path, at(0.5), at(0.95), at(0.99), len(text), len(last.Body), len(mine))
	}
	var sum, zipped int
	for path := range all {
		a, err := s.browser.Get(ctx, path, false)
		if err != nil {
			return err
		}
		text, err := a.Plain()
		if err != nil {
			return err
		}
		sum, zipped = sum+len(text), zipped+len(a.Body)
	}
	fmt.Printf("\nA first visit takes 1 request for the page, %d for the assets (%d bytes, %d with gzip), and 1 for the stream of events;"+
		" a later one takes 1 and, in the only tab, 1 for the stream.\n\n", len(all), sum, zipped)
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
