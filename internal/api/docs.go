package api

import (
	"cmp"
	_ "embed"
	"html/template"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
)

//go:embed docs.html
var docsHTML string

var docsPage = template.Must(template.New("docs").Parse(docsHTML))

// operation is one call as the page of the calls shows it.
type operation struct {
	Method, Path, Summary, Description string
	Parameters                         []*huma.Param
	Body                               string // the name of its type
	Example                            string // of a body
}

// docsRoute serves a page of all calls, made from the OpenAPI document, without a script.
func (s *Server) docsRoute() {
	s.echo.Match(getOrHead, "/api/docs", func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set(echo.HeaderContentType, echo.MIMETextHTMLCharsetUTF8)
		return docsPage.Execute(c.Response(), map[string]any{"Version": s.Version, "Operations": s.operations(), "Types": s.bodyTypes()})
	})
	s.echo.Match(getOrHead, "/api/docs.css", func(c echo.Context) error {
		return c.Blob(http.StatusOK, "text/css; charset=utf-8", docsCSS)
	})
}

//go:embed docs.css
var docsCSS []byte

func (s *Server) operations() []operation {
	var all []operation
	for path, item := range s.huma.OpenAPI().Paths {
		for method, op := range map[string]*huma.Operation{
			http.MethodGet: item.Get, http.MethodPut: item.Put, http.MethodPatch: item.Patch, http.MethodPost: item.Post, http.MethodDelete: item.Delete,
		} {
			if op == nil {
				continue
			}
			o := operation{Method: method, Path: path, Summary: op.Summary, Description: op.Description, Parameters: op.Parameters}
			if op.RequestBody != nil {
				if m := op.RequestBody.Content[echo.MIMEApplicationJSON]; m != nil && m.Schema != nil {
					o.Body, o.Example = typeName(m.Schema), written(m.Example)
				}
			}
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method)) })
	return all
}
