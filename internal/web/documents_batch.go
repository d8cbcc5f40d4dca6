package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/errs"
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

// batchOf is the action for the selected rows that a form names, with the rows.
func batchOf(c echo.Context) (action, []string, error) {
	a, err := actionOf(c.FormValue("action"))
	if err != nil || !a.batch {
		return a, nil, errs.New(errs.NotFound, "there is no such action for several documents")
	}
	subjects, err := selected(c)
	return a, subjects, err
}

// askDocuments asks before something is done to the documents that are selected. It is a POST because so many subjects are
// more than a URL may hold.
func (s *Server) askDocuments(c echo.Context) error {
	a, subjects, err := batchOf(c)
	if err != nil {
		return err
	}
	name := c.Param("queue")
	if _, err := s.Engine.Get(c.Request().Context(), name); err != nil {
		return err
	}
	return s.dialog(c, http.StatusOK, queueFrame(name, a.word), templates.ConfirmForm(batchForm(name, a, subjects, back(c, queueURL(name, "documents")))))
}

// namedSubjects is how many subjects a sentence names; of more it says how many.
const namedSubjects = 3

func batchForm(name string, a action, subjects []string, to string) templates.Confirm {
	f := templates.Confirm{
		Title: fmt.Sprintf("%s %s of %s", a.verb, documentsWord(len(subjects)), name), Action: queueURL(name, "documents", "act"), Back: to, Danger: a.danger,
		Button: fmt.Sprintf("%s %s", a.verb, documentsWord(len(subjects))),
		Fields: []templates.Field{{Name: "action", Value: a.name}, {Name: "back", Value: to}},
	}
	if len(subjects) == 0 {
		f.Title, f.Button, f.Wrong = a.verb+" documents of "+name, "", "Select documents in the list first."
		return f
	}
	var names []string
	for _, subject := range subjects[:min(len(subjects), namedSubjects)] {
		names = append(names, short(subject))
	}
	if more := len(subjects) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	who := "Each "
	if len(subjects) == 1 {
		who = "It "
	}
	f.Says = append(f.Says, strings.Join(names, ", "), who+a.says)
	if a.ends {
		f.Says = append(f.Says, "A worker that holds one of them loses it.")
	}
	for _, subject := range subjects {
		f.Fields = append(f.Fields, templates.Field{Name: "subject", Value: url.QueryEscape(subject)})
	}
	return f
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

// actOnDocuments does one thing to the documents that are selected, in one call of the engine.
func (s *Server) actOnDocuments(c echo.Context) error {
	a, subjects, err := batchOf(c)
	if err != nil {
		return err
	}
	name := c.Param("queue")
	to := back(c, queueURL(name, "documents"))
	if len(subjects) == 0 {
		return s.dialog(c, http.StatusUnprocessableEntity, queueFrame(name, a.word), templates.ConfirmForm(batchForm(name, a, subjects, to)))
	}
	items := make([]queue.Resolution, len(subjects))
	for i, subject := range subjects {
		items[i] = queue.Resolution{Subject: subject, Action: a.name}
	}
	results, err := s.Engine.Act(c.Request().Context(), name, items)
	if err != nil {
		return err
	}
	return s.done(c, to, strings.TrimSuffix(a.past, ":")+": "+summed(results)+".", nil)
}

// outcomeWords say what became of documents; %d is how many.
var outcomeWords = []struct{ outcome, words string }{
	{"ok", "%d done"}, {"active", "%d held by a worker"}, {"not_found", "%d no longer there"}, {"invalid", "%d in another state"},
}

// summed says what became of a batch.
func summed(results []queue.Result) string {
	counts := map[string]int{}
	for _, r := range results {
		counts[r.Outcome]++
	}
	var parts []string
	for _, w := range outcomeWords {
		if n := counts[w.outcome]; n > 0 {
			parts = append(parts, fmt.Sprintf(w.words, n))
		}
	}
	return strings.Join(parts, ", ")
}
