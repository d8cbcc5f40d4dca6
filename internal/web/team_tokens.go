package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
	"github.com/fetchq/server/web/templates"
)

const tokensURL = "/team?tab=tokens"

func (s *Server) tokenRoutes() {
	s.guard(http.MethodGet, "/team/tokens/new", auth.Govern, s.newTokenPage)
	s.guard(http.MethodPost, "/team/tokens/new", auth.Govern, s.createToken)
	s.guard(http.MethodGet, "/team/tokens/revoke", auth.Govern, s.revokeTokenPage)
	s.guard(http.MethodPost, "/team/tokens/revoke", auth.Govern, s.revokeToken)
}

func (s *Server) tokenRows(tokens []auth.Token) []templates.TokenRow {
	rows := make([]templates.TokenRow, len(tokens))
	for i, t := range tokens {
		rows[i] = templates.TokenRow{
			Name: t.Name, Rights: t.Rights, Queues: t.Queues, All: t.Queues == nil, By: firstOf(text(t.CreatedBy), "the command line"), Created: t.CreatedAt,
			Ends: t.ExpiresAt, Used: t.LastUsedAt, Expired: t.ExpiresAt != nil && !t.ExpiresAt.After(s.Now()),
			Revoke: "/team/tokens/revoke?name=" + url.QueryEscape(t.Name),
		}
	}
	return rows
}

// rightWords says what a right of a token allows, from the table that the API reads.
func rightWords(right string) string {
	var words []string
	for _, p := range auth.Permissions {
		if auth.RightFor(p) == right {
			words = append(words, p.Words())
		}
	}
	switch {
	case right == auth.Admin:
		return "all of the above, and: " + strings.Join(words, "; ")
	case words == nil:
		return "send metrics; no call takes them yet"
	}
	return strings.Join(words, "; ")
}

// tokenForm is the form of a new token as it was sent.
type tokenForm struct {
	name, queues, expires string
	rights                []string
}

func (s *Server) newTokenPage(c echo.Context) error {
	return s.askToken(c, http.StatusOK, tokenForm{rights: []string{auth.Push, auth.Work}}, "", "")
}

func (s *Server) askToken(c echo.Context, status int, f tokenForm, field, said string) error {
	v := templates.NewTokenView{
		Wrong: besides(field, said, "name", "rights", "queues", "expires"), WrongRights: at(field, "rights", said),
		Name: templates.Input{
			Name: "name", Label: "Name", Value: f.name, Required: true, Autofocus: true, Max: 100, Autocomplete: "off", Wrong: at(field, "name", said),
			Help: "What it is for, such as the program that will use it. No two have the same.",
		},
		Queues: templates.Input{
			Name: "queues", Label: "Queues", Value: f.queues, Placeholder: "all queues", Autocomplete: "off", Wrong: at(field, "queues", said),
			Help: "Names with commas between them; one may end in *, as in pages,img_*. Empty: all queues, also those to come.",
		},
		Expires: templates.Input{
			Name: "expires", Label: "Lasts", Value: f.expires, Placeholder: "for ever", Max: 64, Autocomplete: "off", Wrong: at(field, "expires", said),
			Help: "A span, as in 90d. Empty: until somebody revokes it.",
		},
	}
	for _, right := range auth.Rights {
		v.Rights = append(v.Rights, templates.RightChoice{Name: right, Words: rightWords(right), Chosen: slices.Contains(f.rights, right)})
	}
	return s.dialog(c, status, teamForm("New token"), templates.NewToken(v))
}

// createToken shows the token in its answer: it stands in no URL, toast, log or session, and nobody can see it again.
func (s *Server) createToken(c echo.Context) error {
	form, err := c.FormParams()
	if err != nil {
		return err
	}
	f := tokenForm{
		name: strings.TrimSpace(form.Get("name")), queues: strings.TrimSpace(form.Get("queues")), expires: strings.TrimSpace(form.Get("expires")),
		rights: form["right"],
	}
	me, _ := userOf(c)
	token, secret, err := s.makeToken(c.Request().Context(), f, me.Email)
	if field, said, ok := wrong(err); ok {
		if field == "expires_at" {
			field = "expires"
		}
		return s.askToken(c, http.StatusUnprocessableEntity, f, field, said)
	}
	if err != nil {
		return err
	}
	return s.dialog(c, http.StatusOK, teamForm("New token"), templates.Secret(templates.SecretView{
		Title: "The token " + token.Name, Label: "Token", Text: secret, Ends: token.ExpiresAt, Back: tokensURL,
		Says: []string{"Keep it where the program that uses it finds it: it is shown only here, and nobody can see it again. Whoever has it may do what it allows."},
	}))
}

func (s *Server) makeToken(ctx context.Context, f tokenForm, by string) (auth.Token, string, error) {
	ends, err := parseEnd(f.expires, s.Now())
	if err != nil {
		return auth.Token{}, "", err
	}
	queues, err := patterns(f.queues)
	if err != nil {
		return auth.Token{}, "", err
	}
	return s.Tokens.Create(ctx, f.name, f.rights, queues, ends, by)
}

// patterns reads the queues of a form; empty is all of them (nil), and none is refused, for it would be a token for nothing.
func patterns(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	list := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	if len(list) == 0 {
		return nil, errs.Field("queues", "no queue is named; names with commas between them are wanted, or nothing for all")
	}
	return list, nil
}

// parseEnd reads how long something lasts; empty is for ever.
func parseEnd(text string, now time.Time) (*time.Time, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // for ever is a value here
	}
	span, err := wire.ParseInterval(text)
	if err != nil {
		return nil, named("expires", err)
	}
	if span.Approx() <= 0 {
		return nil, errs.Field("expires", "the end of a token lies ahead; a span such as 90d is wanted")
	}
	at := now.Add(span.Approx())
	return &at, nil
}

func (s *Server) revokeTokenPage(c echo.Context) error {
	name := c.QueryParam("name")
	return s.dialog(c, http.StatusOK, teamForm("Revoke"), templates.ConfirmForm(templates.Confirm{
		Title: "Revoke the token " + name, Action: "/team/tokens/revoke", Back: tokensURL, Button: "Revoke", Danger: true,
		Says:   []string{"Every server refuses it within a second. What uses it stops working, and it cannot be brought back."},
		Fields: []templates.Field{{Name: "name", Value: name}},
	}))
}

func (s *Server) revokeToken(c echo.Context) error {
	name := c.FormValue("name")
	if err := s.Tokens.Revoke(c.Request().Context(), name); err != nil {
		return err
	}
	return s.done(c, tokensURL, "Revoked the token "+name+".", nil)
}
