package web

import (
	"fmt"
	"mime"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/web/static"
)

// policy: everything from here, nothing inline, no frames, no plugins. Pictures in the style sheet are data.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

const idKey = "web.request_id"

// secure sets the headers that every answer has, and names the request.
func (s *Server) secure(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := uuid.NewString()
		c.Set(idKey, id)
		h := c.Response().Header()
		h.Set(echo.HeaderXRequestID, id)
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		// Not no-referrer: browsers that come without TLS would then send "null" as the origin of our own forms.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		if s.https(c.Request()) {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if !strings.HasPrefix(c.Request().URL.Path, static.Prefix) {
			h.Set("Cache-Control", "no-store") // pages are of this moment and of this person
		}
		return next(c)
	}
}

// https says whether the browser came by TLS, to us or to a proxy before us.
func (s *Server) https(r *http.Request) bool {
	return r.TLS != nil || strings.HasPrefix(s.BaseURL, "https:")
}

// checkOrigin refuses what another site makes a browser send: every request with an unsafe method whose origin is not this
// site. Programs that are no browsers have no session.
func (s *Server) checkOrigin(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := s.origins.Check(c.Request()); err != nil {
			return &errs.Error{Code: errs.Forbidden, Err: err,
				Message: "this request came from another site; if this server stands behind a proxy, set FETCHQ_BASE_URL to the address that browsers use"}
		}
		return next(c)
	}
}

// origin is the origin of an address as browsers write it: in lower case, without the port that goes without saying.
func origin(address string) string {
	text := strings.ToLower(strings.TrimRight(address, "/"))
	if strings.HasPrefix(text, "https:") {
		return strings.TrimSuffix(text, ":443")
	}
	return strings.TrimSuffix(text, ":80")
}

// limitBody bounds a form in size and time.
func (s *Server) limitBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Method == http.MethodGet || r.Method == http.MethodHead || c.Path() == importPath {
			return next(c) // a file to import is read as it comes, by who may send it
		}
		r.Body = http.MaxBytesReader(c.Response(), r.Body, maxForm)
		_ = http.NewResponseController(c.Response()).SetReadDeadline(s.Now().Add(formWait)) // without it the server's own limits hold
		if err := parseForm(r); err != nil {
			if strings.Contains(err.Error(), "too large") {
				return errs.New(errs.TooLarge, "the form is too large; %d bytes are allowed", maxForm)
			}
			return &errs.Error{Code: errs.Malformed, Message: "the form cannot be read", Err: err}
		}
		return next(c)
	}
}

// parseForm reads a form of either kind. One in parts is not escaped, so that a payload takes no more than its own bytes.
func parseForm(r *http.Request) error {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType)); kind == echo.MIMEMultipartForm {
		return r.ParseMultipartForm(maxForm) // nothing of it goes to a file: the body is no larger
	}
	return r.ParseForm()
}

func (s *Server) recoverPanic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if r := recover(); r != nil {
				if r == http.ErrAbortHandler { //nolint:errorlint // it is compared as net/http does
					panic(r) //nolint:forbidigo // net/http wants it back
				}
				err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
			}
		}()
		return next(c)
	}
}
