package queue

import (
	"context"
	"slices"
)

// byKey is the key of a context's value that says in whose name calls are made.
type byKey struct{}

// By returns a context whose calls are made in somebody's name, as the journal tells it: token:name or user:address. Calls in
// nobody's name are told by the role of the database.
func By(ctx context.Context, who string) context.Context { return context.WithValue(ctx, byKey{}, who) }

// byOf is in whose name the calls of a context are made; "": nobody's.
func byOf(ctx context.Context) string {
	who, _ := ctx.Value(byKey{}).(string)
	return who
}

// owned is an item of a call with who made it, for one call of the engine may be several callers'.
type owned[T any] struct {
	item T
	by   string
}

// own gives the items of a call to who makes it.
func own[T any](ctx context.Context, items []T) []owned[T] {
	by := byOf(ctx)
	all := make([]owned[T], len(items))
	for i, item := range items {
		all[i] = owned[T]{item, by}
	}
	return all
}

// bysOf returns who made the items of a call as the SQL functions want it: one for all, one for each, or nil for nobody.
func bysOf[T any](items []T, by func(T) string) []string {
	if len(items) == 0 {
		return nil
	}
	first := by(items[0])
	if !slices.ContainsFunc(items, func(item T) bool { return by(item) != first }) {
		if first == "" {
			return nil
		}
		return []string{first}
	}
	all := make([]string, len(items))
	for i, item := range items {
		all[i] = by(item)
	}
	return all
}

func (o owned[T]) who() string { return o.by }

// who is in whose name the calls of a context are made, as SQL functions for one caller want it.
func who(ctx context.Context) []string {
	if by := byOf(ctx); by != "" {
		return []string{by}
	}
	return nil
}
