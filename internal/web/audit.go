package web

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/web/templates"
)

const auditPerPage = 50

func (s *Server) auditRoutes() {
	s.guard(http.MethodGet, "/audit", auth.Govern, s.auditPage)
	s.guard(http.MethodGet, "/audit/export", auth.Govern, s.exportAudit)
	s.guard(http.MethodGet, "/audit/keep", auth.Govern, s.keepAuditPage)
	s.guard(http.MethodPost, "/audit/keep", auth.Govern, s.keepAudit)
}

var auditFrame = frame{title: "Audit", section: "Audit", crumbs: []templates.Crumb{{Word: "Audit"}}}

// auditQuery are the parameters that filter.
var auditQuery = []string{"actor", "action", "target", "outcome", "from", "to"}

// auditFilter reads the filter of a query. Errors: Invalid.
func (s *Server) auditFilter(c echo.Context) (f audit.Filter, err error) {
	f = audit.Filter{
		Actor: strings.TrimSpace(c.QueryParam("actor")), Action: audit.Action(c.QueryParam("action")),
		Target: strings.TrimSpace(c.QueryParam("target")), Outcome: c.QueryParam("outcome"),
	}
	for _, text := range []string{f.Actor, f.Target} {
		if strings.ContainsRune(text, 0) || strings.ToValidUTF8(text, "") != text {
			return f, errs.Field("filter", "who and to what are texts in UTF-8")
		}
	}
	if f.Action != "" && !slices.Contains(audit.Actions(), f.Action) {
		return f, errs.Field("action", "%.40q is no action of the audit log", string(f.Action))
	}
	if f.Outcome != "" && !slices.Contains(audit.Outcomes, f.Outcome) {
		return f, errs.Field("outcome", "%.40q is no outcome; there are %s", f.Outcome, strings.Join(audit.Outcomes, " and "))
	}
	if f.From, err = s.auditTime("from", c.QueryParam("from")); err != nil {
		return f, err
	}
	f.To, err = s.auditTime("to", c.QueryParam("to"))
	return f, err
}

// auditTime reads a date, or a span from now; empty, and a text that says now, is none.
func (s *Server) auditTime(field, text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	if text == "now" {
		return time.Time{}, nil
	}
	d, err := parseDate(field, text)
	if err == nil && d.Delay != nil {
		return s.Now().Add(d.Delay.Approx()), nil
	}
	return d.At, err
}

// auditURL is a path below the page with the filter of a query, and more.
func auditURL(c echo.Context, path string, more ...string) string {
	q := url.Values{}
	for _, name := range auditQuery {
		if value := c.QueryParam(name); value != "" {
			q.Set(name, value)
		}
	}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// auditPage lists the lines of the audit log that match, the newest first.
func (s *Server) auditPage(c echo.Context) error {
	ctx := c.Request().Context()
	v := templates.AuditView{
		Actor: c.QueryParam("actor"), Target: c.QueryParam("target"), Action: c.QueryParam("action"), Outcome: c.QueryParam("outcome"),
		From: c.QueryParam("from"), To: c.QueryParam("to"), Paged: c.QueryParam("cursor") != "",
		CSV: auditURL(c, "/audit/export", "format", operations.CSV), NDJSON: auditURL(c, "/audit/export", "format", operations.NDJSON),
	}
	for _, a := range audit.Actions() {
		v.Actions = append(v.Actions, templates.Option{Value: string(a), Word: a.Words()})
	}
	for _, name := range auditQuery {
		v.Filtered = v.Filtered || c.QueryParam(name) != ""
	}
	days, err := s.Audit.Keep(ctx)
	if err != nil {
		return err
	}
	v.Kept = keptWords(days)
	f, err := s.auditFilter(c)
	var lines []audit.Line
	var next string
	if err == nil {
		lines, next, err = s.Audit.List(ctx, f, auditPerPage, c.QueryParam("cursor"))
	}
	if _, said, ok := wrong(err); ok {
		v.Wrong = said
		return s.pageAt(c, http.StatusUnprocessableEntity, auditFrame, templates.Audit(v))
	}
	if err != nil {
		return err
	}
	for _, l := range lines {
		v.Lines = append(v.Lines, auditLine(c, l))
	}
	if next != "" {
		v.Pager.Next = auditURL(c, "/audit", "cursor", next)
	}
	v.Pager.Note = shortNote(len(lines), auditPerPage, next != "")
	return s.page(c, auditFrame, templates.Audit(v))
}

func auditLine(c echo.Context, l audit.Line) templates.AuditLine {
	v := templates.AuditLine{
		ID: l.ID, At: l.At, Kind: string(l.ActorKind), Actor: l.Actor, Action: string(l.Action), Word: l.Action.Words(), Target: l.Target,
		Outcome: l.Outcome, Code: l.Code, Times: int64(l.Times), Address: l.Address, RequestID: l.RequestID, Details: string(l.Details),
	}
	if l.Actor != "" {
		v.ByActor = auditURL(c, "/audit", "actor", l.Actor)
	}
	if l.Target != "" {
		v.ByTarget = auditURL(c, "/audit", "target", l.Target)
	}
	return v
}

func keptWords(days int) string {
	if days == 0 {
		return "for ever"
	}
	return strconv.Itoa(days) + " days"
}

// exportAudit sends all lines that match as a file, the newest first, as fast as the browser takes it.
func (s *Server) exportAudit(c echo.Context) error {
	f, err := s.auditFilter(c)
	if err != nil {
		return err
	}
	format := c.QueryParam("format")
	kind, known := exportTypes[format]
	if !known {
		return errs.Field("format", "%.20q is no format; there are ndjson and csv", format)
	}
	select {
	case s.exports <- struct{}{}:
		defer func() { <-s.exports }()
	default:
		return errs.New(errs.Overloaded, "%d files go out already; try again when one is done", cap(s.exports))
	}
	w := c.Response()
	w.Header().Set(echo.HeaderContentType, kind)
	w.Header().Set(echo.HeaderContentDisposition, fmt.Sprintf(`attachment; filename="audit.%s"`, format))
	s.recordNow(c)
	err = s.Audit.Each(c.Request().Context(), f, auditWriter(format, w))
	if err == nil {
		return nil
	}
	if !w.Committed {
		w.Header().Del(echo.HeaderContentDisposition)
		return err
	}
	if c.Request().Context().Err() == nil {
		s.Log.Error("an export of the audit log broke off", "error", err)
	}
	panic(http.ErrAbortHandler) //nolint:forbidigo // it is how net/http breaks a connection off
}

// auditWriter writes lines in a format. The first one of CSV has the names.
func auditWriter(format string, w io.Writer) func(audit.Line) error {
	if format == operations.NDJSON {
		e := json.NewEncoder(w)
		return func(l audit.Line) error { return e.Encode(l) }
	}
	began := false
	return func(l audit.Line) error {
		row := csv.NewWriter(w)
		if !began {
			began = true
			_ = row.Write([]string{"id", "at", "actor_kind", "actor", "action", "target", "outcome", "code", "times", "address", "request_id", "details"})
		}
		_ = row.Write([]string{
			strconv.FormatInt(l.ID, 10), templates.Machine(l.At), string(l.ActorKind), inert(l.Actor), string(l.Action), inert(l.Target), l.Outcome, l.Code,
			strconv.Itoa(l.Times), inert(l.Address), inert(l.RequestID), string(l.Details),
		})
		row.Flush()
		return row.Error()
	}
}

// inert keeps a spreadsheet from taking what a stranger typed for a formula.
func inert(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

func (s *Server) keepAuditPage(c echo.Context) error {
	days, err := s.Audit.Keep(c.Request().Context())
	if err != nil {
		return err
	}
	text := ""
	if days > 0 {
		text = strconv.Itoa(days)
	}
	return s.askKeep(c, http.StatusOK, text, "")
}

func (s *Server) askKeep(c echo.Context, status int, value, said string) error {
	f := frame{title: "How long lines are kept", section: "Audit", crumbs: []templates.Crumb{{Word: "Audit", Href: "/audit"}, {Word: "Kept"}}}
	return s.dialog(c, status, f, templates.ConfirmForm(templates.Confirm{
		Title: f.title, Action: "/audit/keep", Back: "/audit", Button: "Save",
		Says: []string{"Older lines are removed, the oldest first, and cannot be brought back. Export them before, if somebody may ask for them."},
		Inputs: []templates.Input{{
			Name: "keep", Label: "Days", Value: value, Placeholder: "for ever", Max: 6, Autocomplete: "off", Wrong: said,
			Help: fmt.Sprintf("%d or more; the database refuses to remove what is younger. Empty: for ever.", audit.LeastKeep),
		}},
	}))
}

func (s *Server) keepAudit(c echo.Context) error {
	text := strings.TrimSpace(c.FormValue("keep"))
	days, err := parseWhole("keep", text)
	if err == nil {
		n := 0
		if days != nil {
			if n = *days; n == 0 {
				n = -1 // for ever is said by nothing: 0 may be a slip
			}
		}
		err = s.Audit.SetKeep(c.Request().Context(), n)
	}
	if _, said, ok := wrong(err); ok {
		return s.askKeep(c, http.StatusUnprocessableEntity, text, said)
	}
	if err != nil {
		return err
	}
	return s.done(c, "/audit", "Saved how long lines are kept.", nil)
}
