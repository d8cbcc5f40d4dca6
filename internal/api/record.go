package api

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/errs"
)

// doing is what the audit log says of a call: what it does, and the parameter that names to what.
type doing struct {
	action audit.Action
	target string
}

// doings are the calls that leave a line when they did what they do. What workers do all day leaves none: see quiet.
var doings = map[[2]string]doing{
	{"PUT", base + "/queues/:queue"}:                         {audit.QueueSettings, "queue"},
	{"PATCH", base + "/queues/:queue"}:                       {audit.QueueSettings, "queue"},
	{"DELETE", base + "/queues/:queue"}:                      {audit.QueueDrop, "queue"},
	{"POST", base + "/queues/:queue/truncate"}:               {audit.QueueTruncate, "queue"},
	{"POST", base + "/queues/:queue/rename"}:                 {audit.QueueRename, "queue"},
	{"POST", base + "/queues/:queue/clone"}:                  {audit.QueueClone, "queue"},
	{"POST", base + "/queues/:queue/move"}:                   {audit.QueueMove, "queue"},
	{"POST", base + "/queues/:queue/pause"}:                  {audit.QueuePause, "queue"},
	{"POST", base + "/queues/:queue/resume"}:                 {audit.QueueResume, "queue"},
	{"POST", base + "/queues/:queue/imports"}:                {audit.DocumentsAdd, "queue"},
	{"POST", base + "/queues/:queue/operations"}:             {audit.OperationAsk, "queue"},
	{"POST", base + "/operations/:id/cancel"}:                {audit.OperationCancel, "id"},
	{"POST", base + "/operations/:id/undo"}:                  {audit.OperationUndo, "id"},
	{"POST", base + "/workers/:worker/quiet"}:                {audit.WorkerQuiet, "worker"},
	{"POST", base + "/workers/:worker/wake"}:                 {audit.WorkerWake, "worker"},
	{"POST", base + "/backups"}:                              {audit.BackupRun, ""},
	{"POST", base + "/backups/:destination/:backup/verify"}:  {audit.BackupVerify, "destination"},
	{"POST", base + "/backups/:destination/:backup/restore"}: {audit.BackupRestore, "destination"},
	{"PUT", base + "/backup-destinations/:destination"}:      {audit.BackupPlace, "destination"},
	{"DELETE", base + "/backup-destinations/:destination"}:   {audit.BackupPlace, "destination"},
	{"PUT", base + "/backup-schedules/:schedule"}:            {audit.BackupSchedule, "schedule"},
	{"DELETE", base + "/backup-schedules/:schedule"}:         {audit.BackupSchedule, "schedule"},
	{"POST", base + "/marks"}:                                {audit.MarkAdd, ""},
}

// quiet are the unsafe calls of which no line is written here: those of workers and of programs that push, which the journal
// and the counters tell of; actions, which write their own where no lease is held; and those that change nothing.
var quiet = [][2]string{
	{"POST", base + "/queues/:queue/documents"}, {"POST", base + "/queues/:queue/pick"}, {"POST", base + "/queues/:queue/resolve"},
	{"POST", base + "/queues/:queue/extend"}, {"POST", base + "/queues/:queue/logs"}, {"POST", base + "/queues/:queue/metrics"},
	{"POST", base + "/queues/:queue/documents/:action"}, {"POST", base + "/queues/:queue/documents/:subject/:action"},
	{"POST", base + "/backups/:destination/:backup/preview"}, {"POST", base + "/backup-destinations/:destination/test"},
}

// Recorded says whether a call leaves a line in the audit log, or has a reason to leave none.
func Recorded(method, path string) bool {
	_, known := doings[[2]string{method, path}]
	return known || method == http.MethodGet || method == http.MethodHead || slices.Contains(quiet, [2]string{method, path})
}

// record writes to the audit log what was done and what was refused.
func (s *Server) record(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.Audit == nil {
			return next(c)
		}
		r := c.Request()
		trail := audit.NewTrail(audit.Actor{Kind: audit.Nobody}, s.Proxies.Address(r), idOf(c))
		ctx := audit.With(r.Context(), trail)
		c.SetRequest(r.WithContext(ctx))
		err := next(c)
		status := c.Response().Status
		if err != nil {
			status = errs.Of(err).Status()
		}
		d, known := doings[[2]string{r.Method, c.Path()}]
		switch {
		case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusTooManyRequests:
			s.Audit.Count(ctx, refused(c, d, status, trail.Actor()))
		case known && err == nil && status < http.StatusBadRequest && !trail.Written():
			s.Audit.Done(ctx, audit.Entry{Action: d.action, Target: named(c, d.target), Details: map[string]any{"call": r.Method + " " + c.Path()}})
		}
		return err
	}
}

// named is a parameter of the path, which is matched as it was sent.
func named(c echo.Context, name string) string {
	text, err := url.PathUnescape(c.Param(name))
	if err != nil {
		return c.Param(name)
	}
	return text
}

// refused is the line of a call that was refused.
func refused(c echo.Context, d doing, status int, by audit.Actor) audit.Entry {
	code := map[int]errs.Code{
		http.StatusUnauthorized: errs.Unauthenticated, http.StatusForbidden: errs.Forbidden, http.StatusTooManyRequests: errs.Throttled,
	}[status]
	e := audit.Entry{Action: d.action, Refused: string(code)}
	switch {
	case by.Kind == audit.Nobody:
		e.Action = audit.TokenUse // whatever it asked for: guesses count together
	case d.action == "":
		e.Action, e.Target = audit.Request, c.Request().Method+" "+c.Path()
	case d.target != "":
		e.Target = named(c, d.target)
	}
	return e
}
