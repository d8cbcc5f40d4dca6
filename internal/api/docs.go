package api

import (
	"cmp"
	_ "embed"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
)

//go:embed docs.html
var docsHTML string

var docsPage = template.Must(template.New("docs").Parse(docsHTML))

// operation is one call as the page of the calls shows it.
type operation struct {
	ID, Method, Path, Summary, Description string
	Chapter                                string // as docs/api.md has it
	Parameters                             []parameter
	Body                                   string // the name of its type
	Example                                string // of a body
	Answers                                []answer
}

type parameter struct{ Name, In, Description string }

// answer is what a call that was carried out is answered with.
type answer struct {
	Status string
	Type   string // "": it has no body of a type that is shown
}

// chapter is the calls about one thing.
type chapter struct {
	Name       string
	Operations []operation
}

// chapters are the things that calls are about, in the order in which they are met, by how the paths of their calls begin; the first that
// fits counts.
var chapters = []struct {
	name  string
	paths *regexp.Regexp
}{
	{"Work", regexp.MustCompile(`^/queues/{queue}/(pick|extend|resolve)$`)},
	{"Documents", regexp.MustCompile(`^/queues/{queue}/documents\b`)},
	{"Logs and journal", regexp.MustCompile(`^/queues/{queue}/logs$|^/trace\b`)},
	{"Many documents", regexp.MustCompile(`^/operations\b|^/queues/{queue}/(operations|imports)$`)},
	{"Queues", regexp.MustCompile(`^/queues\b`)},
	{"More", regexp.MustCompile(``)},
}

// reading is the order in which the page shows them.
var reading = []string{"Queues", "Documents", "Work", "Many documents", "Logs and journal", "More"}

// docsRoute serves a page of all calls, made from the OpenAPI document, without a script.
func (s *Server) docsRoute() {
	s.echo.Match(getOrHead, "/api/docs", func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set(echo.HeaderContentType, echo.MIMETextHTMLCharsetUTF8)
		return docsPage.Execute(c.Response(), map[string]any{"Version": s.Version, "Chapters": s.chapters(), "Types": s.bodyTypes()})
	})
	s.echo.Match(getOrHead, "/api/docs.css", func(c echo.Context) error {
		return c.Blob(http.StatusOK, "text/css; charset=utf-8", docsCSS)
	})
}

//go:embed docs.css
var docsCSS []byte

// chapters returns all calls, by what they are about.
func (s *Server) chapters() []chapter {
	all := make([]chapter, len(reading))
	for i, name := range reading {
		all[i].Name = name
	}
	for path, item := range s.huma.OpenAPI().Paths {
		for method, op := range map[string]*huma.Operation{
			http.MethodGet: item.Get, http.MethodPut: item.Put, http.MethodPatch: item.Patch, http.MethodPost: item.Post, http.MethodDelete: item.Delete,
		} {
			if op != nil {
				c := &all[slices.Index(reading, chapterOf(path))]
				c.Operations = append(c.Operations, told(method, path, op))
			}
		}
	}
	for _, c := range all {
		slices.SortFunc(c.Operations, func(a, b operation) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method)) })
	}
	return slices.DeleteFunc(all, func(c chapter) bool { return len(c.Operations) == 0 })
}

func chapterOf(path string) string {
	for _, c := range chapters {
		if c.paths.MatchString(strings.TrimPrefix(path, base)) {
			return c.name
		}
	}
	return ""
}

// told is a call as the page shows it.
func told(method, path string, op *huma.Operation) operation {
	o := operation{ID: op.OperationID, Method: method, Path: path, Summary: op.Summary, Description: op.Description}
	for _, p := range op.Parameters {
		words := []string{p.Description}
		if p.Schema != nil {
			words = append(words, kind(p.Schema), limits(p.Schema))
		}
		o.Parameters = append(o.Parameters, parameter{p.Name, p.In, strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), "; ")})
	}
	if op.RequestBody != nil {
		if m := op.RequestBody.Content[echo.MIMEApplicationJSON]; m != nil && m.Schema != nil {
			o.Body, o.Example = typeName(m.Schema), written(m.Example)
		}
	}
	for status, r := range op.Responses {
		if !strings.HasPrefix(status, "2") {
			continue
		}
		a := answer{Status: status}
		if m := r.Content[echo.MIMEApplicationJSON]; m != nil && m.Schema != nil {
			a.Type = typeName(m.Schema)
		}
		o.Answers = append(o.Answers, a)
	}
	slices.SortFunc(o.Answers, func(a, b answer) int { return cmp.Compare(a.Status, b.Status) })
	return o
}
