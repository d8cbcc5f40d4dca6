package web

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fetchq/server/internal/catalog"
	"github.com/fetchq/server/internal/metrics"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

// What makes a queue one in trouble.
const (
	behindAfter  = 5 * time.Minute // how long its oldest document may have been due
	failingShare = 0.1             // errors among what ended in the last minute
	failingLeast = 3               // errors; fewer say nothing
	killedShare  = 0.05            // killed documents among all, beside work that goes on
)

// health is how a queue stands, in one word, and why, for a person.
type health struct {
	word    string // failing, behind, paused, attention, fine or idle
	reasons []templates.Reason
}

func (h health) trouble() bool {
	return rank[h.word] < rank["fine"]
}

// rank orders the words, the worst first.
var rank = map[string]int{"failing": 0, "behind": 1, "paused": 2, "attention": 3, "fine": 4, "idle": 5}

// judge says how a queue stands now. workers are those of the queue; nil: that is not known.
func judge(q queue.Summary, t metrics.Trend, workers *queue.WorkersOf, now time.Time) health {
	var h health
	add := func(word, href, format string, args ...any) {
		if h.word == "" || rank[word] < rank[h.word] {
			h.word = word
		}
		h.reasons = append(h.reasons, templates.Reason{Text: fmt.Sprintf(format, args...), Href: href})
	}
	if t.Known && t.ErrorsPerMin*t.Over.Minutes() >= failingLeast && t.ErrorsPerMin >= failingShare*(succeeded(t)+t.ErrorsPerMin) {
		add("failing", queueURL(q.Name, "errors"), "%s errors a minute beside %s documents that succeed", templates.Rate(t.ErrorsPerMin), templates.Rate(succeeded(t)))
	}
	if q.Paused {
		add("paused", queueURL(q.Name), "%s", pausedWords(q, now))
	} else if q.OldestDueAt != nil && now.Sub(*q.OldestDueAt) > behindAfter {
		add("behind", queueURL(q.Name, "documents?status=pending"), "the oldest document has been due for %s; %s", templates.Span(now.Sub(*q.OldestDueAt)), drainWords(q, t))
		if words := unattended(q, t, workers, now); words != "" {
			add("behind", workersURL("queue", q.Name), "%s", words)
		}
	}
	open := q.Counts.Pending + q.Counts.Active
	if n := q.Counts.Killed; n > 0 && (h.word != "" || open == 0 || float64(n) >= killedShare*float64(total(q.Counts))) {
		add("attention", queueURL(q.Name, "documents?status=killed"), "%s killed; look why, then retry or drop them", killedWords(n))
	}
	switch {
	case h.word != "":
	case open == 0:
		h.word = "idle"
	default:
		h.word = "fine"
	}
	return h
}

// unattended says that no worker asks for what waits in a queue; "": one does, or nobody knows. Workers that call the SQL functions are
// known by what they hold and end.
func unattended(q queue.Summary, t metrics.Trend, workers *queue.WorkersOf, now time.Time) string {
	switch {
	case workers == nil || q.Counts.Active > 0 || t.Known && t.ProcessedPerMin > 0:
		return ""
	case workers.AskedAt == nil:
		return "no worker has asked for its documents so far"
	case now.Sub(*workers.AskedAt) > behindAfter:
		return "no worker has asked for its documents for " + templates.Span(now.Sub(*workers.AskedAt))
	}
	return ""
}

func killedWords(n int64) string {
	if n == 1 {
		return "1 document is"
	}
	return templates.Number(n) + " documents are"
}

func pausedWords(q queue.Summary, now time.Time) string {
	return pauseWords(q.PauseKind, q.PausedUntil, q.PauseReason, now)
}

// pauseWords say what a pause does, for how long, and why.
func pauseWords(kind queue.PauseKind, until *time.Time, reason *string, now time.Time) string {
	words := "nothing is handed out"
	if kind == queue.AtOnce {
		words += " or held"
	}
	if until != nil {
		words += " until " + templates.Stamp(*until) + ", for another " + templates.Span(until.Sub(now))
	}
	if reason != nil {
		words += ": " + *reason
	}
	return words
}

// succeeded is how many documents a minute workers were done with.
func succeeded(t metrics.Trend) float64 { return t.ProcessedPerMin - t.RejectedPerMin }

// drain is how long it takes until nothing is pending, at the pace of the last minute; not known without one.
func drain(q queue.Summary, t metrics.Trend) (d time.Duration, known bool) {
	pace := succeeded(t) - t.EnteredPerMin
	if !t.Known || pace <= 0 {
		return 0, false
	}
	minutes := float64(q.Counts.Pending+q.Counts.Active) / pace
	return time.Duration(min(minutes, 1e6) * float64(time.Minute)), true
}

func drainWords(q queue.Summary, t metrics.Trend) string {
	waiting := templates.Number(q.Counts.Pending) + " are pending"
	if q.Counts.Pending == 1 {
		waiting = "1 is pending"
	}
	if d, known := drain(q, t); known {
		return fmt.Sprintf("%s, and at this pace none is in %s", waiting, templates.Span(d))
	}
	switch {
	case t.Known && t.ProcessedPerMin == 0 && q.Counts.Active == 0:
		return waiting + ", and nobody works here"
	case t.Known && succeeded(t) == 0:
		return waiting + ", and none was finished in the last minute"
	}
	return waiting + ", and more come than go"
}

// tally keeps the number of queues in trouble for a moment: every stream of events tells it.
type tally struct {
	mu  sync.Mutex
	n   int
	at  time.Time
	age int
}

// troubled returns how many queues that the context sees need somebody; while the database does not answer, as far as was known before.
func (s *Server) troubled(ctx context.Context) int {
	list, err := s.board.summaries(ctx)
	var missing []catalog.Trouble
	if err == nil {
		missing = s.troubledBackups(ctx)
	}
	now, age := s.Now(), s.board.age()
	if queue.Limited(ctx) {
		return s.countTroubled(list, nil, now)
	}
	s.trouble.mu.Lock()
	defer s.trouble.mu.Unlock()
	if err != nil || s.trouble.age == age && now.Sub(s.trouble.at) < boardLasts {
		return s.trouble.n
	}
	s.trouble.n, s.trouble.at, s.trouble.age = s.countTroubled(list, missing, now), now, age
	return s.trouble.n
}

func (s *Server) countTroubled(list []queue.Summary, missing []catalog.Trouble, now time.Time) (n int) {
	for _, q := range list {
		if judge(q, s.Recent.Of(q.Name), nil, now).beside(q.Name, missing).trouble() { // who works there is a reason more, and none by itself
			n++
		}
	}
	return n
}
