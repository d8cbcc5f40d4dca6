package web

import (
	"slices"
	"strconv"
	"time"

	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

// timeline tells the life of a document so far, newest first, as far as the document and its last log lines tell it: what is
// stored of picks and iterations is the last of each.
func timeline(d queue.Document, logs []queue.Log) []templates.Happening {
	var list []templates.Happening
	add := func(at time.Time, icon, what string, h templates.Happening) {
		h.At, h.Icon, h.What = at, icon, what
		list = append(list, h)
	}
	switch d.Status {
	case queue.Planned:
		add(d.Next, "planned", "Becomes due", templates.Happening{})
	case queue.Pending:
		add(d.Next, "pending", "Due", templates.Happening{})
	case queue.Active:
		add(d.Next, "behind", "End of the lease", templates.Happening{Worker: text(d.Worker)})
	case queue.Completed, queue.Killed:
	}
	if d.LastIteration != nil {
		h := templates.Happening{Text: "iteration " + strconv.Itoa(d.Iterations)}
		if d.PickedAt != nil && d.PickedAt.Before(*d.LastIteration) {
			h.Text += ", " + templates.Span(d.LastIteration.Sub(*d.PickedAt)) + " after the pick"
		}
		icon, what := "idle", "Last iteration ended"
		if d.Status == queue.Completed || d.Status == queue.Killed {
			icon, what = d.Status.String(), capital(d.Status.String())
		}
		add(*d.LastIteration, icon, what, h)
	}
	for _, l := range logs {
		what := "Note"
		if l.Kind == queue.KindError {
			what = "Error"
		}
		h := templates.Happening{Text: l.Message, Worker: text(l.Worker)}
		if l.Attempt != nil && *l.Attempt > 0 {
			what += " at attempt " + strconv.Itoa(*l.Attempt)
		}
		add(l.CreatedAt, l.Kind, what, h)
	}
	if d.PickedAt != nil {
		h := templates.Happening{Worker: text(d.Worker)}
		if d.Status == queue.Active {
			h.Text = "attempt " + strconv.Itoa(d.Attempts)
		}
		add(*d.PickedAt, "active", "Last pick", h)
	}
	add(d.CreatedAt, "pushed", "Pushed into the queue", templates.Happening{})
	slices.SortStableFunc(list, func(a, b templates.Happening) int { return b.At.Compare(a.At) })
	for i := range list[:len(list)-1] {
		if gap := list[i].At.Sub(list[i+1].At); gap >= time.Millisecond {
			list[i].After = templates.Span(gap)
		}
	}
	return list
}
