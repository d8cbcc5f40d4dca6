package web

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

// timeline tells the life of a document so far, newest first: what its journal and its log have of it, and where the journal has no
// line of it what is stored with the document: the last pick, the last iteration, its beginning. A log line that was written with
// a transition stands with it.
func timeline(d queue.Document, logs []queue.Log, journal []queue.Transition) []templates.Happening {
	t := story{journal: journal}
	switch d.Status {
	case queue.Planned:
		t.add(d.Next, "planned", "Becomes due", templates.Happening{})
	case queue.Pending:
		if !t.told(d.Next, "mark_due", "push", "update", "run_now", "retry", "release", "reschedule", "reject", "orphan", "edit") {
			t.add(d.Next, "pending", "Due", templates.Happening{})
		}
	case queue.Active:
		t.add(d.Next, "behind", "End of the lease", templates.Happening{Worker: text(d.Worker)})
	case queue.Completed, queue.Killed:
	}
	if d.LastIteration != nil && !t.told(*d.LastIteration, "complete", "reschedule", "reject", "kill", "forward", "orphan") {
		h := templates.Happening{Text: "iteration " + strconv.Itoa(d.Iterations)}
		if d.PickedAt != nil && d.PickedAt.Before(*d.LastIteration) {
			h.Text += ", " + templates.Span(d.LastIteration.Sub(*d.PickedAt)) + " after the pick"
		}
		icon, what := "idle", "Last iteration ended"
		if d.Status == queue.Completed || d.Status == queue.Killed {
			icon, what = d.Status.String(), capital(d.Status.String())
		}
		t.add(*d.LastIteration, icon, what, h)
	}
	t.addJournal(logs)
	if d.PickedAt != nil && !t.told(*d.PickedAt, "pick") {
		h := templates.Happening{Worker: text(d.Worker)}
		if d.Status == queue.Active {
			h.Text = "attempt " + strconv.Itoa(d.Attempts)
		}
		t.add(*d.PickedAt, "active", "Last pick", h)
	}
	if !t.told(d.CreatedAt, "push") {
		t.add(d.CreatedAt, "pushed", "Pushed into the queue", templates.Happening{})
	}
	return t.sorted()
}

// goneTimeline is that of a document that is not in the queue any more.
func goneTimeline(logs []queue.Log, journal []queue.Transition) []templates.Happening {
	t := story{journal: journal}
	t.addJournal(logs)
	return t.sorted()
}

// story is a timeline that is being told.
type story struct {
	journal []queue.Transition
	list    []templates.Happening
}

func (t *story) add(at time.Time, icon, what string, h templates.Happening) {
	h.At, h.Icon, h.What = at, icon, what
	t.list = append(t.list, h)
}

// told says whether the journal has a line of one of these actions at a moment.
func (t *story) told(at time.Time, actions ...string) bool {
	return slices.ContainsFunc(t.journal, func(j queue.Transition) bool { return j.At.Equal(at) && slices.Contains(actions, j.Action) })
}

// addJournal adds the lines of the journal, each with the log line that was written with it, and then the other log lines.
func (t *story) addJournal(logs []queue.Log) {
	with := make([]bool, len(logs))
	for _, j := range t.journal {
		h := templates.Happening{Text: transitionText(j), Worker: text(j.Worker), By: caller(j)}
		for i, l := range logs {
			if !with[i] && l.CreatedAt.Equal(j.At) {
				with[i] = true
				h.Said = l.Message
				break
			}
		}
		if j.Next != nil && j.To != nil && (*j.To == queue.Planned || j.Action == "pick" || j.Action == "extend") {
			h.Next = j.Next
			if h.NextWord = "due"; *j.To == queue.Active {
				h.NextWord = "until"
			}
		}
		icon, what := transitionWords(j)
		t.add(j.At, icon, what, h)
	}
	for i, l := range logs {
		if with[i] {
			continue
		}
		what := "Note"
		if l.Kind == queue.KindError {
			what = "Error"
		}
		h := templates.Happening{Said: l.Message, Worker: text(l.Worker)}
		if l.Attempt != nil && *l.Attempt > 0 {
			what += " at attempt " + strconv.Itoa(*l.Attempt)
		}
		t.add(l.CreatedAt, l.Kind, what, h)
	}
}

// sorted is the timeline, with how long after what stands below it each came.
func (t *story) sorted() []templates.Happening {
	slices.SortStableFunc(t.list, func(a, b templates.Happening) int { return b.At.Compare(a.At) })
	for i := 0; i+1 < len(t.list); i++ {
		if gap := t.list[i].At.Sub(t.list[i+1].At); gap >= time.Millisecond {
			t.list[i].After = templates.Span(gap)
		}
	}
	return t.list
}

// transitions are the words for what the journal has, and their icons where these are not of the status that follows.
var transitions = map[string]struct{ icon, word string }{
	"push": {"pushed", "Pushed into the queue"}, "update": {"pushed", "Updated by a push"}, "requeue": {"pushed", "Is to go on with what was pushed"},
	"mark_due": {"", "Became due"}, "pick": {"", "Picked"}, "extend": {"", "Lease extended"}, "complete": {"", "Completed"},
	"reschedule": {"", "Rescheduled"}, "reject": {"error", "Rejected"}, "kill": {"", "Killed"}, "drop": {"idle", "Dropped"}, "forward": {"", "Forwarded"},
	"orphan": {"error", "Lease ran out"}, "run_now": {"", "Made due now"}, "retry": {"", "Retried"}, "release": {"", "Released"}, "edit": {"", "Edited"}, "undo": {"", "Put back by an undo"},
	"expire": {"idle", "Removed: kept no longer"}, "truncate": {"idle", "All documents were removed"}, "attach": {"idle", "The queue was restored"}, "restore": {"idle", "The queue was restored"},
	"rename": {"idle", "The queue got another name"},
}

func transitionWords(j queue.Transition) (icon, what string) {
	w, known := transitions[j.Action]
	if !known {
		w.word = capital(strings.ReplaceAll(j.Action, "_", " ")) // of a newer version that shares this database
	}
	if w.icon == "" && j.To != nil {
		w.icon = j.To.String()
	}
	if j.To != nil && *j.To == queue.Killed && j.Action != "kill" && j.Action != "edit" {
		w.icon, w.word = "killed", w.word+", and killed"
	}
	return w.icon, w.word
}

// transitionText is what else the journal has of a transition.
func transitionText(j queue.Transition) string {
	var parts []string
	if j.Attempt != nil && *j.Attempt > 0 && (j.Action == "pick" || j.From != nil && *j.From == queue.Active) {
		parts = append(parts, "attempt "+strconv.Itoa(*j.Attempt))
	}
	if j.Wait != nil {
		parts = append(parts, "due for "+templates.Span(*j.Wait))
	}
	if j.Work != nil {
		parts = append(parts, templates.Span(*j.Work)+" of work")
	}
	return strings.Join(parts, ", ")
}

// caller says in whose name something was done, where that is more than the worker's.
func caller(j queue.Transition) string {
	kind, name, ok := strings.Cut(text(j.By), ":")
	if !ok {
		return ""
	}
	switch kind {
	case "user":
		return name
	case "role":
		return "SQL as " + name
	}
	return fmt.Sprintf("%s %s", kind, name)
}
