package web

import (
	"cmp"
	"net/http"
	"net/mail"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
)

// doing is what the audit log says of a route.
type doing struct {
	action audit.Action
	target string   // the parameter or field that names what it is done to; "": whoever does it
	notes  []string // fields and parameters that stand in the details; none has a secret or a payload
	also   bool     // though another line was written, of a part of it
	own    bool     // the line of what is done is written where it is done: a right password alone may be half of it
}

// doings are the routes that leave a line when they did what they do. An unsafe route that is not here has a reason in quiet.
var doings = map[string]doing{
	"POST /login":                    {action: audit.SignIn, target: "email", own: true},
	"POST /login/code":               {action: audit.SignIn, own: true},
	"POST /login/passkey":            {action: audit.SignIn, own: true},
	"POST /login/passkey/begin":      {action: audit.SignIn, own: true},
	"POST /account/passkeys/confirm": {action: audit.Account},
	"POST /account/passkeys/rename":  {action: audit.Account},
	"POST /account/passkeys/remove":  {action: audit.Account},
	"GET /login":                     {action: audit.SignIn, own: true}, // by a proxy
	"GET /login/provider/callback":   {action: audit.SignIn, own: true},
	"POST /account/connect":          {action: audit.Account, own: true},
	"POST /setup/:token":             {action: audit.PasswordChange, also: true},
	"POST /reset/:token":             {action: audit.PasswordChange, also: true},
	"POST /logout":                   {action: audit.SignOut},
	"POST /account/password":         {action: audit.PasswordChange},
	"POST /account/second/confirm":   {action: audit.Account},
	"POST /account/second/codes":     {action: audit.Account},
	"POST /account/second/remove":    {action: audit.Account},
	"POST /team/people/:id/second":   {action: audit.Account, target: "id"},
	"POST /account/sessions/revoke":  {action: audit.SessionRevoke, notes: []string{"id", "others"}},
	"POST /team/people/new":          {action: audit.UserCreate, target: "email", notes: []string{"role"}},
	"POST /team/people/:id/link":     {action: audit.PasswordLink, target: "id"},
	"POST /team/people/:id/role":     {action: audit.UserRole, target: "id", notes: []string{"role"}},
	"POST /team/people/:id/queues":   {action: audit.UserQueues, target: "id"},
	"POST /team/people/:id/disable":  {action: audit.UserDisable, target: "id"},
	"POST /team/people/:id/enable":   {action: audit.UserEnable, target: "id"},
	"POST /team/sessions/revoke":     {action: audit.SessionRevoke, target: "id"},
	"POST /team/tokens/new":          {action: audit.TokenCreate, target: "name"},
	"POST /team/tokens/rotate":       {action: audit.TokenRotate, target: "name", notes: []string{"overlap"}},
	"POST /team/tokens/revoke":       {action: audit.TokenRevoke, target: "name"},
	"POST /queues/new":               {action: audit.QueueCreate, target: "name"},
	"POST /queues/:queue/settings":   {action: audit.QueueSettings, target: "queue"},
	"POST /queues/:queue/drop":       {action: audit.QueueDrop, target: "queue"},
	"POST /queues/:queue/truncate":   {action: audit.QueueTruncate, target: "queue"},
	"POST /queues/:queue/rename":     {action: audit.QueueRename, target: "queue", notes: []string{"to"}},
	"POST /queues/:queue/clone":      {action: audit.QueueClone, target: "queue", notes: []string{"to"}},
	"POST /queues/:queue/move":       {action: audit.QueueMove, target: "queue", notes: []string{"to"}},
	"POST /queues/pause":             {action: audit.QueuePause, target: "queue", notes: []string{"queue", "kind", "reason", "until", "version"}},
	"POST /queues/resume":            {action: audit.QueueResume, target: "queue", notes: []string{"queue", "version"}},
	"POST /workers/quiet":            {action: audit.WorkerQuiet, target: "name", notes: []string{"name"}},
	"POST /workers/wake":             {action: audit.WorkerWake, target: "name", notes: []string{"name"}},
	"POST /workers/release":          {action: audit.WorkerRelease, target: "queue", notes: []string{"worker"}},
	"POST /operations/:id/cancel":    {action: audit.OperationCancel, target: "id"},
	"POST /operations/:id/undo":      {action: audit.OperationUndo, target: "id"},
	"GET /queues/:queue/export":      {action: audit.DocumentsExport, target: "queue", notes: []string{"format", "tab", "status", "subject_prefix"}},
	"POST /queues/:queue/import":     {action: audit.DocumentsAdd, target: "queue", notes: []string{"format", "on_conflict"}},
	"POST /backups/run":              {action: audit.BackupRun, target: "destination"},
	"POST /backups/destinations/new": {action: audit.BackupPlace, target: "name", notes: []string{"keep_last", "keep_daily", "keep_weekly", "keep_monthly"}},
	"POST /backups/schedules/new":    {action: audit.BackupSchedule, target: "name", notes: scheduleNotes},

	"POST /queues/:queue/operations/new":          {action: audit.OperationAsk, target: "queue", notes: []string{"action"}},
	"POST /queues/:queue/document/:action":        {action: audit.DocumentsAct, target: "queue", notes: []string{"action", "subject"}},
	"POST /queues/:queue/documents/new":           {action: audit.DocumentsAdd, target: "queue", notes: []string{"subject"}},
	"POST /backups/at/:destination/:name/verify":  {action: audit.BackupVerify, target: "destination", notes: []string{"name"}},
	"POST /backups/at/:destination/:name/restore": {action: audit.BackupRestore, target: "destination", notes: []string{"name"}},
	"POST /backups/destinations/:name/edit":       {action: audit.BackupPlace, target: "name", notes: []string{"keep_last", "keep_daily", "keep_weekly", "keep_monthly"}},
	"POST /backups/destinations/:name/delete":     {action: audit.BackupPlace, target: "name", notes: []string{"confirm"}},
	"POST /backups/schedules/:name/edit":          {action: audit.BackupSchedule, target: "name", notes: scheduleNotes},
	"POST /backups/schedules/:name/delete":        {action: audit.BackupSchedule, target: "name"},
	"POST /backups/schedules/:name/run":           {action: audit.BackupRun, target: "name"},
	"GET /audit/export":                           {action: audit.AuditExport, notes: []string{"format", "actor", "target", "action", "outcome", "from", "to"}},
	"POST /audit/keep":                            {action: audit.AuditKeep, notes: []string{"keep"}},
}

var scheduleNotes = []string{"destination", "cron", "zone", "paused", "verify"}

// quiet are the unsafe routes of which no line is written, unless they are refused: what somebody keeps for his own eyes, what
// all may arrange, and what changes nothing.
var quiet = []string{
	"POST /account/theme", "POST /account/second", "POST /account/passkeys", "POST /queues/star", "POST /queues/:queue/views/new", "POST /queues/:queue/views/delete", "POST /charts/save",
	"POST /dashboards/:id", "POST /queues/:queue/documents/ask", "POST /workers/ask", "POST /workers/release/ask", "POST /queues/:queue/import/preview", "POST /backups/destinations/:name/test",
}

// Recorded says whether a route leaves a line in the audit log, or has a reason to leave none.
func Recorded(r Route) bool {
	name := r.Method + " " + r.Path
	_, known := doings[name]
	return known || r.Method == http.MethodGet || slices.Contains(quiet, name)
}

// record writes to the audit log what was done and what was refused.
func (s *Server) record(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		d, known := doings[r.Method+" "+c.Path()]
		id, _ := c.Get(idKey).(string)
		trail := audit.NewTrail(audit.Actor{Kind: audit.Nobody}, s.Proxies.Address(r), id)
		ctx := audit.With(r.Context(), trail)
		c.SetRequest(r.WithContext(ctx))
		if s.opened[c.Path()] && known {
			trail.Note("page", c.Path())
		}
		err := next(c)
		status, code := outcome(c, err)
		switch {
		case status == http.StatusForbidden, status == http.StatusTooManyRequests, status == http.StatusUnauthorized && s.opened[c.Path()]:
			e := s.entry(c, d, trail)
			e.Refused = code
			if !known {
				e.Action, e.Target = audit.Request, r.Method+" "+c.Path()
			}
			s.Audit.Count(ctx, e)
		case known && err == nil && status < http.StatusBadRequest && (d.also || !d.own && !trail.Written()):
			s.recordDone(c, d, trail)
		}
		return err
	}
}

func (s *Server) recordDone(c echo.Context, d doing, trail *audit.Trail) {
	e := s.entry(c, d, trail)
	for _, name := range d.notes {
		if values := valuesAt(c, name); len(values) == 1 {
			trail.Note(name, values[0])
		} else if len(values) > 1 {
			trail.Note(name, values)
		}
	}
	s.Audit.Done(c.Request().Context(), e)
}

// recordNow writes the line of a request before its answer goes out: who breaks an export off has most of it all the same.
func (s *Server) recordNow(c echo.Context) {
	if d, known := doings[c.Request().Method+" "+c.Path()]; known {
		s.recordDone(c, d, audit.From(c.Request().Context()))
	}
}

// outcome is the status of an answer, and the code of what refuses.
func outcome(c echo.Context, err error) (int, string) {
	if err != nil {
		return errs.Of(err).Status(), string(errs.Of(err))
	}
	status := c.Response().Status
	return status, map[int]string{
		http.StatusForbidden: string(errs.Forbidden), http.StatusTooManyRequests: string(errs.Throttled), http.StatusUnauthorized: string(errs.Unauthenticated),
	}[status]
}

// entry is the line of a request. A body is read for it only where the request was let in: the form that is read then is kept.
func (s *Server) entry(c echo.Context, d doing, trail *audit.Trail) audit.Entry {
	e := audit.Entry{Action: d.action, Target: trail.Actor().Name}
	if d.target == "" {
		return e
	}
	e.Target = ""
	values := valuesAt(c, d.target)
	switch {
	case d.action == audit.SignIn:
		e.Target = addressOnly(values)
	case len(values) == 1:
		e.Target = values[0]
	}
	return e
}

// addressOnly is what was given as an e-mail address, where it is one: somebody may have typed the password there.
func addressOnly(values []string) string {
	if len(values) != 1 {
		return ""
	}
	a, err := mail.ParseAddress(values[0])
	if err != nil || len(a.Address) > 254 {
		return "(no e-mail address)"
	}
	return a.Address
}

const mostNoted = 20

// valuesAt are the values of a parameter of the path, a field of the form that was read, or of the query.
func valuesAt(c echo.Context, name string) []string {
	if value := c.Param(name); value != "" {
		return []string{value}
	}
	all := c.Request().Form[name] // empty where nobody has read it
	if len(all) == 0 {
		all = c.QueryParams()[name]
	}
	all = slices.DeleteFunc(slices.Clone(all), func(v string) bool { return v == "" })
	return all[:min(len(all), mostNoted)]
}

// recordActor tells the trail who is signed in.
func recordActor(c echo.Context, user auth.User) {
	audit.From(c.Request().Context()).By(audit.Actor{Kind: audit.User, Name: cmp.Or(user.Email, user.ID.String())})
}
