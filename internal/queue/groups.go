package queue

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/errs"
)

// MaxGroups is how many groups of errors a queue has at most. What is new beyond them is counted in OtherErrors.
const MaxGroups = 1_000

// OtherErrors is the fingerprint of the group of all that came when a queue had MaxGroups.
const OtherErrors = "0000000000000000"

// GroupOrders are the orders of groups: by how many errors, by the last error, by the first one. The highest stands first.
var GroupOrders = []string{"errors", "last_seen", "first_seen"}

// GroupFilter chooses groups of errors. Zero values mean any.
type GroupFilter struct {
	Queues      []string  // nil: all
	From        time.Time // seen since, to the step that it stands in
	To          time.Time // seen before
	Text        string    // stands in the pattern or in the sample, in any case of its letters
	Version     *int      // of the documents
	Fingerprint string
	Order       string // of GroupOrders; "": the first
	Limit       int    // 1 to MaxList
}

// ErrorGroup is a group of errors that say the same, as the fold saw it. Errors and Counts are those of the time that was asked for.
type ErrorGroup struct {
	Fingerprint string
	Queues      []string // that had one, the one with the most first
	FirstSeen   time.Time
	LastSeen    time.Time
	Errors      int64
	Documents   int64 // that had one since FirstSeen; in each of two queues counted
	Exact       bool  // whether Documents is: else within a tenth in two of three cases
	Versions    []int // of these documents, the highest 20
	Pattern     string
	Sample      string  // the beginning of one of the last messages
	Counts      []int64 // of steps, the oldest first
}

// ErrorGroups are groups in an order.
type ErrorGroups struct {
	Groups []ErrorGroup
	All    int           // that fit; more than Groups where the limit cut them
	Capped bool          // not all groups of these queues were looked at
	Step   time.Duration // of Counts
	Begins time.Time     // the first step
}

// ErrorGroups returns the groups of errors of some queues, of a time, as folds have put them together: an error of the last 2 s may be missing. It reads
// no log, and looks at 5,000 groups at most, of the queues that failed last. Errors: Invalid (order, limit, fingerprint).
func (e *Engine) ErrorGroups(ctx context.Context, f GroupFilter) (out ErrorGroups, err error) {
	if err := checkLimit(f.Limit); err != nil {
		return out, err
	}
	if f.Order == "" {
		f.Order = GroupOrders[0]
	}
	if !slices.Contains(GroupOrders, f.Order) {
		return out, errs.Field("order", "%.40q is no order; there are %s", f.Order, strings.Join(GroupOrders, ", "))
	}
	code, err := fingerprint(f.Fingerprint)
	if err != nil {
		return out, err
	}
	if f.Queues, err = e.Only(ctx, f.Queues); err != nil {
		return out, err
	}
	out.Groups, err = query(ctx, e, "list groups of errors", func(row pgx.CollectableRow) (g ErrorGroup, err error) {
		var code *int64
		var step, looked int
		err = row.Scan(&code, &g.Queues, &g.FirstSeen, &g.LastSeen, &g.Errors, &g.Documents, &g.Exact, &g.Versions, &g.Pattern, &g.Sample, &step,
			&out.Begins, &g.Counts, &out.All, &looked)
		g.Fingerprint = fingerprintText(code)
		out.Step, out.Capped = time.Duration(step)*time.Second, looked >= maxGroupLooks
		return g, err
	}, `select * from fetchq.error_top($1, $2, $3, $4, $5, $6, $7, $8)`,
		f.Queues, given(f.From), given(f.To), optional(f.Text), f.Version, code, f.Order, f.Limit)
	return out, err
}

// ErrorCourse is how many errors there were in each step, the oldest first.
type ErrorCourse struct {
	Step   time.Duration
	Begins time.Time // the first step
	Counts []int64
}

// ErrorCourse returns how many errors there were over a time in all groups that ErrorGroups would choose; of a filter without From, in the last 30 days. It
// looks at as many groups as that does. Errors: none of its own.
func (e *Engine) ErrorCourse(ctx context.Context, f GroupFilter) (_ ErrorCourse, err error) {
	if f.Queues, err = e.Only(ctx, f.Queues); err != nil {
		return ErrorCourse{}, err
	}
	return queryRow(ctx, e, "read the course of errors", func(row pgx.CollectableRow) (out ErrorCourse, err error) {
		var step int
		err = row.Scan(&step, &out.Begins, &out.Counts)
		out.Step = time.Duration(step) * time.Second
		return out, err
	}, `select step, begins, counts from fetchq.error_course($1, $2, $3, $4, $5)`, f.Queues, given(f.From), given(f.To), optional(f.Text), f.Version)
}

// maxGroupLooks is how many groups fetchq.error_top looks at.
const maxGroupLooks = 5_000

// Share is how many of some lines a worker wrote.
type Share struct {
	Worker string
	Errors int64
}

// Affected is a document of a group of errors: how often it stands among the lines looked at, when last, and how it stands now.
type Affected struct {
	Subject string
	Errors  int64
	Last    time.Time
	Status  *Status // nil: it is gone
}

// GroupLately is what the newest lines of a group tell.
type GroupLately struct {
	Lines        int     // that were looked at, MaxLately at most
	Workers      []Share // the 20 with the most
	MoreWorkers  int
	Documents    []Affected  // the newest 50
	AllDocuments int         // among the lines
	Standing     []Standings // of all of these
}

// Standings is how many documents stand in a state.
type Standings struct {
	Status    *Status // nil: they are gone
	Documents int64
}

// MaxLately is the most lines that GroupLately looks at.
const MaxLately = 1_000

// GroupLately looks at the newest lines of a group of errors in a queue, so many at most, and at the documents that they are about. Errors: NotFound,
// Invalid (fingerprint).
func (e *Engine) GroupLately(ctx context.Context, queue, group string, lines int) (out GroupLately, err error) {
	if err := find(ctx, queue); err != nil {
		return out, err
	}
	code, err := fingerprint(group)
	if err != nil {
		return out, err
	}
	return queryRow(ctx, e, "look at a group of errors of "+queue, func(row pgx.CollectableRow) (out GroupLately, err error) {
		var workers, subjects []string
		var works, times []int64
		var dates []time.Time
		var statuses, states []*Status
		var standing []int64
		err = row.Scan(&out.Lines, &workers, &works, &out.MoreWorkers, &subjects, &times, &dates, &statuses, &out.AllDocuments, &states, &standing)
		for i, w := range workers {
			out.Workers = append(out.Workers, Share{w, works[i]})
		}
		for i, s := range subjects {
			out.Documents = append(out.Documents, Affected{s, times[i], dates[i], statuses[i]})
		}
		for i, status := range states {
			out.Standing = append(out.Standing, Standings{status, standing[i]})
		}
		return out, err
	}, `select looked, workers, works, others, subjects, times, dates, statuses, documents, states, standing from fetchq.error_lately($1, $2, $3)`,
		queue, code, min(lines, MaxLately))
}

// fingerprint reads a fingerprint; nil where there is none. Errors: Invalid.
func fingerprint(text string) (*int64, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // null in SQL: of any group
	}
	n, err := strconv.ParseUint(text, 16, 64)
	if err != nil || len(text) != len(OtherErrors) || strings.ToLower(text) != text {
		return nil, errs.Field("fingerprint", "a fingerprint is 16 of 0-9 and a-f")
	}
	code := int64(n) //nolint:gosec // its bits
	return &code, nil
}

func fingerprintText(code *int64) string {
	if code == nil {
		return ""
	}
	return fmt.Sprintf("%016x", uint64(*code)) //nolint:gosec // its bits
}
