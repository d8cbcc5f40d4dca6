package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
	"github.com/fetchq/server/web/templates"
)

// How many lines of the log and of the journal about a document its page reads.
const (
	timelineLines = 100
	logsPerPage   = 20
)

func (s *Server) documentRoutes() {
	s.guard(http.MethodGet, "/queues/:queue/document", auth.See, s.documentPage)
	s.guard(http.MethodGet, "/queues/:queue/document/payload", auth.See, s.payload)
	s.guard(http.MethodGet, "/queues/:queue/document/details", auth.See, s.details)
	s.guard(http.MethodGet, "/queues/:queue/document/:action", auth.Act, s.documentActionPage)
	s.guard(http.MethodPost, "/queues/:queue/document/:action", auth.Act, s.documentAct)
}

// documentURL is the page of a document, or one below it. A subject is anything, so it is never part of the path.
func documentURL(name, subject string, below ...string) string {
	return queueURL(name, append([]string{"document"}, below...)...) + "?subject=" + url.QueryEscape(subject)
}

func documentFrame(d queue.Document, word string) frame {
	f := queueFrame(d.Queue, "Documents")
	f.title = short(d.Subject)
	f.crumbs[2].Href = queueURL(d.Queue, "documents")
	f.crumbs = append(f.crumbs, templates.Crumb{Word: short(d.Subject)})
	if word != "" {
		f.title = word + " " + f.title
		f.crumbs[3].Href = documentURL(d.Queue, d.Subject)
		f.crumbs = append(f.crumbs, templates.Crumb{Word: word})
	}
	return f
}

// document is that of a request. Errors: NotFound, Invalid (subject).
func (s *Server) document(c echo.Context) (queue.Document, error) {
	subject := c.QueryParam("subject")
	if err := wire.CheckSubject(subject); err != nil {
		return queue.Document{}, err
	}
	return s.Engine.Doc(c.Request().Context(), c.Param("queue"), subject)
}

func (s *Server) documentPage(c echo.Context) error {
	d, err := s.document(c)
	if errs.Of(err) == errs.NotFound {
		return s.goneDocument(c, err)
	}
	if err != nil {
		return err
	}
	return s.showDocument(c, http.StatusOK, d, "")
}

// goneDocument shows what the journal and the log have of a document that is gone; missing is the error where they have nothing.
func (s *Server) goneDocument(c echo.Context, missing error) error {
	ctx, name, subject := c.Request().Context(), c.Param("queue"), c.QueryParam("subject")
	journal, err := s.Engine.Journal(ctx, name, subject, timelineLines, 0)
	if err != nil {
		return missing // there is no such queue
	}
	latest, err := s.Engine.Logs(ctx, name, queue.LogFilter{Subject: subject, Limit: timelineLines})
	if err != nil {
		return err
	}
	if len(journal)+len(latest.Logs) == 0 {
		return missing
	}
	d := queue.Document{Queue: name, Subject: subject}
	v := templates.GoneView{Queue: name, Subject: subject, Timeline: goneTimeline(latest.Logs, journal)}
	if v.Elsewhere, err = s.elsewhere(ctx, d); err != nil {
		return err
	}
	return s.pageAt(c, http.StatusNotFound, documentFrame(d, ""), templates.GoneDocument(v))
}

// failedLast says whether the last try at a document failed: attempts begin at 0 again when one ends well, and a pick counts as one.
func failedLast(d queue.Document) bool {
	return d.Status == queue.Killed || d.Status == queue.Active && d.Attempts > 1 || (d.Status == queue.Planned || d.Status == queue.Pending) && d.Attempts > 0
}

// showDocument shows one document with all that is known of it; refused is what was asked for and not done.
func (s *Server) showDocument(c echo.Context, status int, d queue.Document, refused string) error {
	ctx := c.Request().Context()
	q, err := s.Engine.Get(ctx, d.Queue)
	if err != nil {
		return err
	}
	latest, err := s.Engine.Logs(ctx, d.Queue, queue.LogFilter{Subject: d.Subject, Limit: timelineLines})
	if err != nil {
		return err
	}
	journal, err := s.Engine.Journal(ctx, d.Queue, d.Subject, timelineLines, 0)
	if err != nil {
		return err
	}
	v := templates.DocumentView{
		Queue: d.Queue, Subject: d.Subject, Status: d.Status.String(), Actions: actionViews(c, d), Refused: refused,
		Outlook: outlook(d, q), Warn: q.Paused, Facts: documentFacts(d, q), Timeline: timeline(d, latest.Logs, journal), MoreLogs: latest.Next != "",
		Journal: journalLacks(q.Settings, len(journal)),
		Payload: d.Payload, PayloadHref: documentURL(d.Queue, d.Subject, "payload"),
	}
	isError := func(l queue.Log) bool { return l.Kind == queue.KindError }
	if i := slices.IndexFunc(latest.Logs, isError); i >= 0 && failedLast(d) {
		v.LastError = latest.Logs[i].Message
	}
	if d.Status == queue.Killed && len(latest.Logs) > 0 && !isError(latest.Logs[0]) {
		v.LastNote = latest.Logs[0].Message // who kills may say why
	}
	place, err := s.placeInLine(ctx, d)
	if err != nil {
		return err
	}
	asked, err := s.Engine.LastAsk(ctx, d.Queue, d.Version)
	if err != nil {
		return err
	}
	words, unasked := askedFor(d, asked, q.AsOf)
	v.Outlook, v.Warn = v.Outlook+place+words, v.Warn || unasked
	if err := s.addLogs(c, d, latest, &v); err != nil {
		return err
	}
	if v.Elsewhere, err = s.elsewhere(ctx, d); err != nil {
		return err
	}
	if v.Beside, err = s.beside(c, d); err != nil {
		return err
	}
	f := documentFrame(d, "")
	f.crumbs[2].Href = listOf(c, d.Queue).url("", "")
	return s.pageAt(c, status, f, templates.Document(v))
}

// journalLacks says what a timeline cannot tell.
func journalLacks(s queue.Settings, lines int) string {
	switch {
	case lines == timelineLines:
		return "The journal may have older transitions; the API's ?journal=200 shows more of them."
	case s.Journal == queue.JournalOff:
		return "The journal of this queue is off: of picks and iterations the last ones are known."
	case s.Journal == queue.JournalErrors:
		return "The journal of this queue has what failed and what admins did: of other picks and iterations the last ones are known."
	}
	return ""
}

// addLogs shows a page of log lines: the latest, which are known already, or those where the URL says.
func (s *Server) addLogs(c echo.Context, d queue.Document, latest queue.LogPage, v *templates.DocumentView) (err error) {
	cursor, before := c.QueryParam("cursor"), c.QueryParam("before")
	page := latest
	if cursor != "" || before != "" || len(latest.Logs) > logsPerPage {
		f := queue.LogFilter{Subject: d.Subject, Limit: logsPerPage, Cursor: cursor, Before: before}
		if page, err = s.Engine.Logs(c.Request().Context(), d.Queue, f); err != nil {
			return err
		}
	}
	for _, l := range page.Logs {
		v.Logs = append(v.Logs, templates.LogLine{
			ID: l.ID, At: l.CreatedAt, Kind: l.Kind, Message: l.Message, RefID: text(l.RefID), Worker: text(l.Worker), Attempt: l.Attempt, Details: l.Details,
			Href: fmt.Sprintf("%s&id=%d&at=%d", documentURL(d.Queue, d.Subject, "details"), l.ID, l.CreatedAt.UnixMicro()),
		})
	}
	to := hereURL(c, d)
	if page.Next != "" {
		v.Pager.Next = to + "&cursor=" + url.QueryEscape(page.Next) + "#logs"
	}
	if page.Previous != "" {
		v.Pager.Previous = to + "&before=" + url.QueryEscape(page.Previous) + "#logs"
	}
	v.Pager.Note = "newest first"
	return nil
}

// elsewhere is where the same subject stands in other queues.
func (s *Server) elsewhere(ctx context.Context, d queue.Document) ([]templates.Elsewhere, error) {
	names, err := s.Engine.Names(ctx)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == d.Queue })
	if len(names) == 0 { // no names would mean all
		return nil, nil
	}
	docs, err := s.Engine.Everywhere(ctx, d.Subject, names)
	if err != nil {
		return nil, err
	}
	var list []templates.Elsewhere
	for _, other := range docs {
		word, at := nextOf(other, other.Next)
		list = append(list, templates.Elsewhere{Queue: other.Queue, Href: documentURL(other.Queue, other.Subject), Status: other.Status.String(), NextWord: word, Next: at})
	}
	return list, nil
}

// documentFacts are what is stored of a document beside its payload, for people.
func documentFacts(d queue.Document, q queue.Queue) []templates.DocumentFact {
	whole := func(word string, n int) templates.DocumentFact {
		return templates.DocumentFact{Word: word, Value: strconv.Itoa(n)}
	}
	moment := func(word string, at *time.Time) templates.DocumentFact {
		return templates.DocumentFact{Word: word, Value: "never", At: at}
	}
	list := queueURL(d.Queue, "documents")
	version, attempts, worker := whole("Version", d.Version), whole("Attempts", d.Attempts), templates.DocumentFact{Word: "Worker", Value: "none so far"}
	version.Href = fmt.Sprintf("%s?version=%d", list, d.Version)
	attempts.Value = fmt.Sprintf("%d of %d", d.Attempts, q.Settings.MaxAttempts)
	if d.Worker != nil {
		worker.Value, worker.Href = *d.Worker, list+"?worker="+url.QueryEscape(*d.Worker)
		if d.Status == queue.Active && *d.Worker != "" {
			worker.Href = workerURL(*d.Worker)
		}
	}
	word, next := nextOf(d, q.AsOf)
	facts := []templates.DocumentFact{
		version, whole("Priority", d.Priority), attempts, whole("Iterations", d.Iterations), moment("Created", &d.CreatedAt),
		moment(capital(word), &next), moment("Picked", d.PickedAt), worker, moment("Last iteration", d.LastIteration),
	}
	paused := templates.DocumentFact{Word: "Queue", Value: d.Queue + ", which hands out documents", Href: queueURL(d.Queue)}
	if q.Paused {
		paused.Value = d.Queue + ", which is paused"
		if q.PauseReason != nil {
			paused.Value += ": " + *q.PauseReason
		}
	}
	return append(facts, paused)
}

// capital makes the first letter of an English word large.
func capital(word string) string { return string(word[0]-'a'+'A') + word[1:] }

// details answers the details of one log line, whole, as a file. The moment finds the line by the index of its subject.
func (s *Server) details(c echo.Context) error {
	d, err := s.document(c)
	if err != nil {
		return err
	}
	id, err1 := strconv.ParseInt(c.QueryParam("id"), 10, 64)
	micros, err2 := strconv.ParseInt(c.QueryParam("at"), 10, 64)
	if err1 == nil && err2 == nil {
		from := time.UnixMicro(micros)
		page, err := s.Engine.Logs(c.Request().Context(), d.Queue, queue.LogFilter{
			Subject: d.Subject, From: from, To: from.Add(time.Microsecond), Limit: queue.MaxList,
		})
		if err != nil {
			return err
		}
		for _, l := range page.Logs {
			if l.ID == id && l.Details != nil {
				return attach(c, "details.json", l.Details)
			}
		}
	}
	return errs.New(errs.NotFound, "there is no such log line any more, or it has no details")
}
