package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

// selected returns the subjects that the list's form names, once each. They travel escaped, since browsers change the ends of
// lines in what a form sends.
func selected(c echo.Context) ([]string, error) {
	form, err := c.FormParams()
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var subjects []string
	for _, escaped := range form["subject"] {
		subject, err := url.QueryUnescape(escaped)
		if err != nil {
			return nil, errs.Field("subject", "a subject of this form is not escaped as it was")
		}
		if !seen[subject] {
			seen[subject] = true
			subjects = append(subjects, subject)
		}
	}
	if len(subjects) > queue.MaxList {
		return nil, errs.Field("subject", "%d documents are selected; %d are allowed at once", len(subjects), queue.MaxList)
	}
	return subjects, nil
}

// askDocuments asks before something is done to the documents that are selected. It is a POST because so many subjects are
// more than a URL may hold.
func (s *Server) askDocuments(c echo.Context) error {
	f, err := s.readBulk(c, true)
	if err != nil {
		return err
	}
	if _, err := s.Engine.Get(c.Request().Context(), f.at.queue); err != nil {
		return err
	}
	if len(f.request.Subjects) == 0 {
		return s.sayNone(c, http.StatusOK, f)
	}
	f.key = uuid.NewString()
	return s.askOperation(c, http.StatusOK, f, "", "")
}

// sayNone refuses a form in which nothing is selected.
func (s *Server) sayNone(c echo.Context, status int, f bulkForm) error {
	return s.dialog(c, status, queueFrame(f.at.queue, f.word), templates.ConfirmForm(templates.Confirm{
		Title: f.verb + " documents of " + f.at.queue, Back: f.back(), Wrong: "Select documents in the list first.",
	}))
}

// namedSubjects is how many subjects a sentence names; of more it says how many.
const namedSubjects = 3

// namesOf are the first of some subjects, for a sentence.
func namesOf(subjects []string) string {
	var names []string
	for _, subject := range subjects[:min(len(subjects), namedSubjects)] {
		names = append(names, short(subject))
	}
	if more := len(subjects) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

func documentsWord(n int) string {
	if n == 1 {
		return "1 document"
	}
	return fmt.Sprintf("%d documents", n)
}

// short is the beginning of a subject, for a sentence.
func short(subject string) string {
	const most = 60
	letters := []rune(subject)
	if len(letters) <= most {
		return subject
	}
	return string(letters[:most]) + "…"
}

const (
	soon     = 2 * time.Second       // so long somebody waits for what is done to the rows of a page
	lookSoon = 20 * time.Millisecond // between two looks whether it is over
)

// soonOver waits for an operation for as long as a person would wait for the answer to a click.
func (s *Server) soonOver(c echo.Context, o operations.Operation) (operations.Operation, error) {
	ctx := c.Request().Context()
	for deadline := s.Now().Add(soon); !o.Over() && s.Now().Before(deadline); {
		select {
		case <-ctx.Done():
			return o, ctx.Err()
		case <-time.After(lookSoon):
		}
		var err error
		if o, err = s.Operations.Get(ctx, o.ID); err != nil {
			return o, err
		}
	}
	return o, nil
}

// told leads to where an operation is told of: back to the list where it is done already, with a button that undoes it where that can
// be, and else, or where documents were refused, to the page of the operation, which has the reasons.
func (s *Server) told(c echo.Context, o operations.Operation, did, to string) error {
	o, err := s.soonOver(c, o)
	if err != nil {
		return err
	}
	if o.State != operations.Done {
		return s.done(c, operationURL(o, ""), "Started: "+operationTitle(o)+" in "+o.Queue+".", nil)
	}
	said := did + " " + documentsWord(int(o.Done)) + "."
	if o.LeftAlone > 0 {
		said += fmt.Sprintf(" %d left alone: gone, or in another state.", o.LeftAlone)
	}
	if o.Failed > 0 {
		return s.done(c, operationURL(o, ""), said+fmt.Sprintf(" %d refused, for the reasons below.", o.Failed), nil)
	}
	why, err := s.whyNoUndo(c, o)
	if err != nil {
		return err
	}
	var undo *templates.Undo
	if why == "" && o.Done > 0 {
		undo = &templates.Undo{Action: operationURL(o, "/undo"), Fields: []templates.Field{{Name: "back", Value: to}}}
	}
	return s.done(c, to, said, undo)
}
