package queue

import (
	"context"
	"slices"

	"github.com/fetchq/server/internal/errs"
)

// scopeKey is the key of a context's value that says which queues its calls see.
type scopeKey struct{}

type scope struct {
	key  string
	sees func(queue string) bool
}

// Within returns a context whose calls see some queues only: the others are to them as if they were not there. key tells such a
// limit from others, and is not "". The engine, operations and charts keep to it.
func Within(ctx context.Context, key string, sees func(queue string) bool) context.Context {
	return context.WithValue(ctx, scopeKey{}, scope{key, sees})
}

// WithinAll returns a context whose calls see all queues again, for what is kept for everybody: whoever reads that keeps to his own
// limit, by Sees.
func WithinAll(ctx context.Context) context.Context {
	if !Limited(ctx) {
		return ctx
	}
	return context.WithValue(ctx, scopeKey{}, scope{})
}

// ScopeKey tells the limit of a context from others; "": it has none.
func ScopeKey(ctx context.Context) string {
	s, _ := ctx.Value(scopeKey{}).(scope)
	return s.key
}

// Limited says whether the calls of a context see some queues only.
func Limited(ctx context.Context) bool { return ScopeKey(ctx) != "" }

// Sees says whether the calls of a context see a queue, whether or not there is one of this name.
func Sees(ctx context.Context, queue string) bool {
	s, _ := ctx.Value(scopeKey{}).(scope)
	return s.sees == nil || s.sees(queue)
}

// See refuses a queue that the calls of a context do not see, as one that is not there. Errors: NotFound.
func See(ctx context.Context, queue string) error {
	if Sees(ctx, queue) {
		return nil
	}
	return &errs.Error{Code: errs.NotFound, Field: "queue", Message: "there is no queue " + queue}
}

// Only are those of some queues (nil: all there are) that the calls of a context see; nil where that is all.
func (e *Engine) Only(ctx context.Context, queues []string) ([]string, error) {
	if !Limited(ctx) {
		return queues, nil
	}
	if queues == nil {
		return e.Names(ctx)
	}
	return seenOf(ctx, queues, func(name string) string { return name }), nil
}

// seenOf are those of a list that are of queues which the calls of a context see; the list itself where they see all.
func seenOf[T any](ctx context.Context, list []T, queue func(T) string) []T {
	if !Limited(ctx) {
		return list
	}
	seen := make([]T, 0, len(list))
	for _, item := range list {
		if Sees(ctx, queue(item)) {
			seen = append(seen, item)
		}
	}
	return slices.Clip(seen)
}

// SeenSummaries are those of some queues that the calls of a context see.
func SeenSummaries(ctx context.Context, list []Summary) []Summary {
	return seenOf(ctx, list, func(s Summary) string { return s.Name })
}

// Seen are the workers as the calls of a context see them: in the queues of these alone. Who works in none of them is left out, and how
// many documents are held without a name is not told, for these may be anywhere.
func (w Workers) Seen(ctx context.Context) Workers {
	if !Limited(ctx) {
		return w
	}
	out := Workers{AsOf: w.AsOf, Whole: w.Whole, Partial: seenOf(ctx, w.Partial, func(name string) string { return name })}
	for _, one := range w.List {
		if one = one.In(func(name string) bool { return Sees(ctx, name) }, w.AsOf); len(one.Posts) > 0 {
			out.List = append(out.List, one)
		}
	}
	return out
}
