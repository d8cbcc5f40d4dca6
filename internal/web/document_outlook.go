package web

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

// outlook says in words when and why a document will or will not be picked next, as far as that is known without a look at
// other documents.
func outlook(d queue.Document, q queue.Queue) string {
	switch d.Status {
	case queue.Active:
		return activeOutlook(d, q)
	case queue.Completed:
		return "It is completed: no worker gets it until its date is set again, or it is pushed again with on_conflict update." +
			goes(q.Settings.CompletedRetention != nil, "completed", retention(q.Settings.CompletedRetention))
	case queue.Killed:
		return fmt.Sprintf("It was killed, with %d of %d attempts made: no worker gets it until somebody retries it.", d.Attempts, q.Settings.MaxAttempts) +
			goes(q.Settings.KilledRetention != nil, "killed", retention(q.Settings.KilledRetention))
	case queue.Planned, queue.Pending:
	}
	var says []string
	if wait := d.Next.Sub(q.AsOf); d.Status == queue.Planned && wait > 0 {
		says = append(says, fmt.Sprintf("It waits for its date, in %s, and then for a worker that asks for version %d.", templates.Span(wait), d.Version))
	} else {
		says = append(says, fmt.Sprintf("It is due: the next worker that asks for version %d gets it, after those of a higher priority or an older date.", d.Version))
	}
	if hindrance := standstill(q, d.Version); hindrance != "" {
		says = append(says, hindrance)
	}
	if d.Attempts+1 >= q.Settings.MaxAttempts {
		says = append(says, fmt.Sprintf("Its next attempt is the last of %d: if that fails, it is killed.", q.Settings.MaxAttempts))
	}
	return strings.Join(says, " ")
}

// askedFor says whether any worker asks for the version of a document that waits, as further sentences; asked is who did last, nil: nobody.
func askedFor(d queue.Document, asked *queue.Ask, now time.Time) (says string, unasked bool) {
	const bySQL = " Workers that pick by the SQL functions are not known here."
	if d.Status != queue.Planned && d.Status != queue.Pending {
		return "", false
	}
	if asked == nil {
		return fmt.Sprintf(" But no worker has asked for version %d so far, so nobody gets it until one does.", d.Version) + bySQL, true
	}
	who, since := "a worker", now.Sub(asked.At)
	if asked.Worker != "" {
		who = asked.Worker
	}
	switch {
	case since > queue.Unasked:
		return fmt.Sprintf(" But no worker has asked for version %d for %s; the last one was %s.", d.Version, templates.Span(since), who) + bySQL, true
	case since < time.Second:
		return fmt.Sprintf(" Workers ask for version %d: %s did just now.", d.Version, who), false
	}
	return fmt.Sprintf(" Workers ask for version %d: %s did %s.", d.Version, who, templates.Ago(asked.At, now)), false
}

// standstill is what keeps a queue from handing out documents of a payload version now.
func standstill(q queue.Queue, version int) string {
	stands := func(what string, until *time.Time, reason *string) string {
		says := "But " + what + " is paused and hands out nothing until "
		if until != nil {
			says += templates.Stamp(*until)
		} else {
			says += "somebody resumes it"
		}
		if reason != nil {
			says += ": " + *reason
		}
		return strings.TrimRight(says, ".") + "."
	}
	own := slices.IndexFunc(q.Pauses, func(p queue.Pause) bool { return p.Version != nil && *p.Version == version })
	switch {
	case q.Paused:
		return stands("the queue", q.PausedUntil, q.PauseReason)
	case own >= 0:
		return strings.Replace(stands(fmt.Sprintf("version %d", version), q.Pauses[own].Until, q.Pauses[own].Reason), "hands out nothing", "not handed out", 1)
	case q.Settings.MaxActive != nil && q.Counts.Active >= int64(*q.Settings.MaxActive):
		return fmt.Sprintf("But %s are active, as many as the queue allows at once: it waits until one of them ends.", documentsWord(*q.Settings.MaxActive))
	}
	return ""
}

// placeInLine says how many documents are picked before a pending one, as a further sentence.
func (s *Server) placeInLine(ctx context.Context, d queue.Document) (string, error) {
	if d.Status != queue.Pending {
		return "", nil
	}
	n, known, err := s.Engine.Ahead(ctx, d)
	switch {
	case err != nil || !known:
		return "", err
	case n == 0:
		return fmt.Sprintf(" None of version %d stands before it.", d.Version), nil
	case n == 1:
		return fmt.Sprintf(" 1 document of version %d stands before it.", d.Version), nil
	case n == queue.MostAhead:
		return fmt.Sprintf(" 10,000 or more documents of version %d stand before it.", d.Version), nil
	}
	return fmt.Sprintf(" %s documents of version %d stand before it.", templates.Exact(int64(n)), d.Version), nil
}

func activeOutlook(d queue.Document, q queue.Queue) string {
	who := "A worker"
	if d.Worker != nil {
		who = *d.Worker
	}
	after := "it comes back after the backoff of the queue"
	if d.Attempts >= q.Settings.MaxAttempts {
		after = fmt.Sprintf("it is killed, for this is attempt %d of %d", d.Attempts, q.Settings.MaxAttempts)
	}
	left := d.Next.Sub(q.AsOf)
	if left <= 0 {
		return fmt.Sprintf("The lease of %s is over, which counts as a failure: in a moment %s.", lower(who), after)
	}
	says := fmt.Sprintf("%s holds it for %s more; nobody else gets it meanwhile. If the lease runs out, that counts as a failure, and %s.", who, templates.Span(left), after)
	if r := d.Requeue; r != nil {
		says += " It was pushed again meanwhile: however the lease ends, it goes on with what was pushed then, due " + templates.Stamp(r.Next) + "."
	}
	return says
}

// lower is "a worker" within a sentence; names stay as they are.
func lower(who string) string {
	if who == "A worker" {
		return "a worker"
	}
	return who
}

func goes(set bool, state, after string) string {
	if !set {
		return ""
	}
	return fmt.Sprintf(" The queue removes what has been %s for %s.", state, after)
}
