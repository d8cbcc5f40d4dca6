package templates

import (
	"context"
	"io"

	"github.com/a-h/templ"
)

// Within renders a component with another one as its children.
func Within(outer, inner templ.Component) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		return outer.Render(templ.WithChildren(ctx, inner), w)
	})
}
