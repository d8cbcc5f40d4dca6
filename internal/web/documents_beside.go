package web

import (
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

// A document's page that was opened from a list knows the list, and the place in it, by its URL: list is the query of the list, and at a cursor.

// inList is the URL of a document's page, or one below it, that was opened from the list.
func inList(name, subject, list, at string, below ...string) string {
	return documentURL(name, subject, below...) + "&list=" + url.QueryEscape(list) + "&at=" + url.QueryEscape(at)
}

// hereURL is documentURL for a page on which the list is known that it was opened from.
func hereURL(c echo.Context, d queue.Document, below ...string) string {
	if at := c.QueryParam("at"); at != "" {
		return inList(d.Queue, d.Subject, c.QueryParam("list"), at, below...)
	}
	return documentURL(d.Queue, d.Subject, below...)
}

// listOf is the list that a page was opened from, at its beginning; one of all documents where nobody knows.
func listOf(c echo.Context, name string) documentsQuery {
	v, _ := url.ParseQuery(c.QueryParam("list")) // what cannot be read is left out
	q := parseDocumentsQuery(name, v)
	q.cursor, q.before = "", ""
	return q
}

// beside finds the documents before and behind this one, in the list that its page was opened from; nil where no list is known. They are those beside
// the place at which it stood then: what was done to it meanwhile may have moved it.
func (s *Server) beside(c echo.Context, d queue.Document) (*templates.Neighbours, error) {
	at := c.QueryParam("at")
	if at == "" {
		return nil, nil //nolint:nilnil // none is a value here
	}
	list := listOf(c, d.Queue)
	v := &templates.Neighbours{List: list.url("", ""), Filtered: list.filtered() || list.filters["status"] != ""}
	f, err := list.filter(s.Now())
	f.Limit = 2 // it may have moved to where it is its own neighbour
	for _, way := range []struct {
		cursor, before string
		to             *string
	}{{at, "", &v.Next}, {"", at, &v.Previous}} {
		if err != nil {
			break
		}
		f.Cursor, f.Before = way.cursor, way.before
		var page queue.DocPage
		if page, err = s.Engine.Docs(c.Request().Context(), d.Queue, f); err != nil {
			break
		}
		for i, other := range page.Documents {
			if other.Subject != d.Subject && (way.before != "" || *way.to == "") { // on the way back the last one is the nearest
				*way.to = inList(other.Queue, other.Subject, c.QueryParam("list"), page.Places[i])
			}
		}
	}
	if _, _, ok := wrong(err); ok {
		return nil, nil //nolint:nilnil // the URL was not one of ours
	}
	return v, err
}
