package templates

import (
	"context"
	"time"
)

// Around is what every part of a page may need, however deep it stands.
type Around struct {
	Asset func(name string) string // the URL of a built file
	Now   time.Time                // when the page was made
}

type aroundKey struct{}

// With returns a context in which the components of this package are rendered.
func With(ctx context.Context, a Around) context.Context {
	return context.WithValue(ctx, aroundKey{}, a)
}

func asset(ctx context.Context, name string) string {
	if a, ok := ctx.Value(aroundKey{}).(Around); ok && a.Asset != nil {
		return a.Asset(name)
	}
	return "/assets/" + name
}

func now(ctx context.Context) time.Time {
	a, _ := ctx.Value(aroundKey{}).(Around)
	return a.Now
}
