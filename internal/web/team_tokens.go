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

const tokensTab = "/team?tab=tokens" //nolint:gosec // a path

func (s *Server) tokenRoutes() {
	s.guard(http.MethodGet, "/team/tokens/new", auth.Govern, s.newTokenPage)
	s.guard(http.MethodPost, "/team/tokens/new", auth.Govern, s.createToken)
	s.guard(http.MethodGet, "/team/tokens/rotate", auth.Govern, s.rotateTokenPage)
	s.guard(http.MethodPost, "/team/tokens/rotate", auth.Govern, s.rotateToken)
	s.guard(http.MethodGet, "/team/tokens/revoke", auth.Govern, s.revokeTokenPage)
	s.guard(http.MethodPost, "/team/tokens/revoke", auth.Govern, s.revokeToken)
}

func (s *Server) tokenRows(tokens []auth.Token) []templates.TokenRow {
	rows := make([]templates.TokenRow, len(tokens))
	for i, t := range tokens {
		rows[i] = templates.TokenRow{
			Name: t.Name, Rights: t.Rights, Queues: t.Queues, All: t.Queues == nil, By: firstOf(text(t.CreatedBy), "the command line"), Created: t.CreatedAt,
			Ends: t.ExpiresAt, Used: t.LastUsedAt, Expired: t.ExpiresAt != nil && !t.ExpiresAt.After(s.Now()),
			Revoke: "/team/tokens/revoke?name=" + url.QueryEscape(t.Name), Rotate: "/team/tokens/rotate?name=" + url.QueryEscape(t.Name),
			From: text(t.LastUsedFrom),
		}
		if t.OldUntil != nil && t.OldUntil.After(s.Now()) {
			rows[i].OldUntil, rows[i].OldUsed = t.OldUntil, t.OldUsedAt
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
		Title: "The token " + token.Name, Label: "Token", Text: secret, Ends: token.ExpiresAt, Back: tokensTab,
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
		Title: "Revoke the token " + name, Action: "/team/tokens/revoke", Back: tokensTab, Button: "Revoke", Danger: true,
		Says:   []string{"Every server refuses it within a second. What uses it stops working, and it cannot be brought back."},
		Fields: []templates.Field{{Name: "name", Value: name}},
	}))
}

func (s *Server) revokeToken(c echo.Context) error {
	name := c.FormValue("name")
	if err := s.Tokens.Revoke(c.Request().Context(), name); err != nil {
		return err
	}
	return s.done(c, tokensTab, "Revoked the token "+name+".", nil)
}

const usualOverlap = "7d"

func (s *Server) rotateTokenPage(c echo.Context) error {
	return s.askRotate(c, http.StatusOK, c.QueryParam("name"), usualOverlap, "")
}

func (s *Server) askRotate(c echo.Context, status int, name, overlap, said string) error {
	return s.dialog(c, status, teamForm("Rotate"), templates.ConfirmForm(templates.Confirm{
		Title: "Rotate the token " + name, Action: "/team/tokens/rotate", Back: tokensTab, Button: "Make the new secret",
		Says: []string{
			"You get another secret for the same token. Give it to what uses the token; the list says when the old one was used last.",
			"A secret that was old before ends at once.",
		},
		Fields: []templates.Field{{Name: "name", Value: name}},
		Inputs: []templates.Input{{
			Name: "overlap", Label: "The old secret stays good for", Value: overlap, Max: 64, Autocomplete: "off", Wrong: said,
			Help: "A span of up to 90 days, as in 7d or 12h. Empty: it ends at once, as it should where it has leaked.",
		}},
	}))
}

// rotateToken shows the new secret in its answer, as createToken does.
func (s *Server) rotateToken(c echo.Context) error {
	name, overlap := c.FormValue("name"), strings.TrimSpace(c.FormValue("overlap"))
	var span wire.Interval
	var err error
	if overlap != "" {
		span, err = wire.ParseInterval(overlap)
		err = named("overlap", err)
	}
	var token auth.Token
	var secret string
	if err == nil {
		token, secret, err = s.Tokens.Rotate(c.Request().Context(), name, span.Approx())
	}
	if _, said, ok := wrong(err); ok {
		return s.askRotate(c, http.StatusUnprocessableEntity, name, overlap, said)
	}
	if err != nil {
		return err
	}
	says := []string{"Keep it where the program that uses it finds it: it is shown only here, and nobody can see it again."}
	if token.OldUntil != nil {
		says = append(says, "The old secret is good until "+templates.Stamp(*token.OldUntil)+".")
	} else {
		says = append(says, "The old secret is not good any more, on every server within a second.")
	}
	return s.dialog(c, http.StatusOK, teamForm("Rotate"), templates.Secret(templates.SecretView{
		Title: "The new secret of " + token.Name, Label: "Token", Text: secret, Ends: token.ExpiresAt, Back: tokensTab, Says: says,
	}))
}
