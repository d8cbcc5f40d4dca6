package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Timing of web/static/js/live.js.
const (
	refreshGap = 2 * time.Second         // the least time between two refreshes of a page
	toldGap    = 1500 * time.Millisecond // the same, when the stream tells of a change
	settling   = 2 * time.Minute         // after a change, in which each beat of the stream makes a page ask again
	longest    = 30 * time.Second        // without a refresh, whatever changes
	lookEvery  = 500 * time.Millisecond  // how often a page looks whether it is to refresh itself
)

// rounds is how often the loads take turns, forth and back, for what Postgres does by itself (vacuum above all) changes for minutes
// after documents came, and must not fall on one load more than on another. A quarter of the span ought to be a multiple of 30 s, for so
// often the jobs of all queues that sleep come round.
const rounds = 4

// load is what happens meanwhile, and what it took of a core.
type load struct {
	busy              bool
	pages             int
	program, postgres time.Duration
	refreshes, size   int64
}

// measureOpen prints what the server takes without pages and with many, while nothing changes and while workers work.
func (s *server) measureOpen(ctx context.Context) error {
	fmt.Printf("Share of a core over %s, in %d rounds; %d pages are open, each in a browser of its own: half of them the overview,"+
		" half of them queues that workers work on.\n\n", *span, rounds, *open)
	loads := []load{{}, {pages: *open}, {busy: true}, {busy: true, pages: *open}}
	order := []*load{&loads[0], &loads[1], &loads[2], &loads[3]}
	for range rounds {
		for _, l := range order {
			if err := s.share(ctx, l); err != nil {
				return err
			}
		}
		slices.Reverse(order)
	}
	fmt.Println("| meanwhile | pages open | program | Postgres | refreshes/s | bytes/s |")
	fmt.Println("|---|---:|---:|---:|---:|---:|")
	for _, l := range loads {
		word := "nothing changes"
		if l.busy {
			word = "100 documents/s in 10 queues"
		}
		percent := func(d time.Duration) float64 { return 100 * d.Seconds() / span.Seconds() }
		fmt.Printf("| %s | %d | %.1f %% | %.1f %% | %.1f | %.0f |\n", word, l.pages, percent(l.program), percent(l.postgres),
			float64(l.refreshes)/span.Seconds(), float64(l.size)/span.Seconds())
	}
	return nil
}

// share adds to a load what one round of it takes.
func (s *server) share(ctx context.Context, l *load) error {
	ctx, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	failed := make(chan error, l.pages+1)
	if l.busy {
		all.Go(func() { report(failed, s.crawl(ctx)) })
	}
	var refreshes, size atomic.Int64
	for i := range l.pages {
		path, queue := "/", ""
		if i%2 == 1 {
			queue = name(1 + i/2%10)
			path = "/queues/" + queue
		}
		all.Go(func() { report(failed, s.watch(ctx, path, queue, &refreshes, &size)) })
	}
	// The first seconds are for opening.
	if err := wait(ctx, failed, 3*time.Second); err != nil {
		return err
	}
	program, postgres, err := s.used()
	if err != nil {
		return err
	}
	refreshed, sent := refreshes.Load(), size.Load()
	if err := wait(ctx, failed, *span/rounds); err != nil {
		return err
	}
	programThen, postgresThen, err := s.used()
	if err != nil {
		return err
	}
	l.program += programThen - program
	l.postgres += postgresThen - postgres
	l.refreshes += refreshes.Load() - refreshed
	l.size += size.Load() - sent
	return nil
}

func report(failed chan<- error, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		failed <- err
	}
}

func wait(ctx context.Context, failed <-chan error, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-failed:
		return err
	case <-time.After(d):
		return nil
	}
}

// crawl pushes 10 documents to each of 10 queues and works off 10 a second, a tenth of them with an error.
func (s *server) crawl(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		for i := range 10 {
			_, err := s.DB.Exec(ctx, `select count(*) from fetchq.doc_push_many($1, array(select gen_random_uuid()::text from generate_series(1, 10)))`, name(1+i))
			if err == nil {
				err = s.work(ctx, name(1+i), 9, 1)
			}
			if err != nil && ctx.Err() == nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// watch does what live.js does for one page: it hears the stream and asks for the page again when that says so. Pages are
// opened one after the other, in the first two seconds.
func (s *server) watch(ctx context.Context, path, queue string, refreshes, size *atomic.Int64) error {
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(rand.N(2 * time.Second)): //nolint:gosec // people open pages at any time
	}
	first, err := s.browser.Get(ctx, path, false)
	if err != nil {
		return err
	}
	drawn := figures{}
	if err := drawn.ask(ctx, s, first, size); err != nil {
		return err
	}
	arrived := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/events", nil)
	if err != nil {
		return err
	}
	resp, err := s.browser.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	changed, beats := make(chan struct{}, 1), make(chan struct{}, 1)
	go hear(resp.Body, queue, changed, beats)
	moved, stale := arrived, false
	for look := time.NewTicker(lookEvery); ; {
		least := refreshGap
		select {
		case <-ctx.Done():
			look.Stop()
			return nil
		case <-look.C:
		case <-changed:
			moved, stale, least = time.Now(), true, toldGap
		case <-beats:
			made := time.Since(arrived)
			stale = stale || made >= 2*refreshGap && (time.Since(moved) < settling || made > longest)
		}
		if !stale || time.Since(arrived) < least {
			continue
		}
		stale = false
		a, err := s.browser.Get(ctx, path, true)
		if err != nil {
			return err
		}
		arrived = time.Now()
		refreshes.Add(1)
		size.Add(int64(len(a.Body)))
		if err := drawn.ask(ctx, s, a, size); err != nil {
			return err
		}
	}
}

// hear reads a stream of events and tells of its beats, and of the changes that concern a page: of one queue, or, "", of all.
func hear(stream io.Reader, queue string, changed, beats chan<- struct{}) {
	kind := ""
	for lines := bufio.NewScanner(stream); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			kind = text
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var told struct {
			Queues []string `json:"queues"`
		}
		switch {
		case kind == "beat":
			tell(beats)
		case kind == "changed" && json.Unmarshal([]byte(data), &told) == nil &&
			(queue == "" || len(told.Queues) == 0 || slices.Contains(told.Queues, queue)):
			tell(changed)
		}
	}
}

func tell(of chan<- struct{}) {
	select {
	case of <- struct{}{}:
	default: // it is told already
	}
}

// used returns the time on a core that the program and Postgres have taken so far. What a process of Postgres took is kept by
// its parent when it ends.
func (s *server) used() (program, postgres time.Duration, err error) {
	if program, _, err = ticks(s.Process.Pid); err != nil {
		return 0, 0, err
	}
	list, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, 0, err
	}
	for _, dir := range list {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if used, parent, err := ticks(pid); err == nil && (parent == s.Postgres || pid == s.Postgres) {
			postgres += used
		}
	}
	return program, postgres, nil
}

// ticks reads /proc/PID/stat: utime, stime, cutime and cstime are its fields 14 to 17, in hundredths of a second, and 4 is
// the parent. The name of the process, field 2, may hold anything and ends with the last bracket.
func ticks(pid int) (used time.Duration, parent int, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 15 {
		return 0, 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	for _, f := range fields[11:15] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, 0, err
		}
		used += time.Duration(n) * 10 * time.Millisecond
	}
	parent, err = strconv.Atoi(fields[1])
	return used, parent, err
}
