package provider

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/fetchq/server/internal/errs"
)

// What is derived from the secret of a sign-in. None of them tells the secret, or another one.
const (
	forState    = "state"
	forNonce    = "nonce"
	forVerifier = "verifier"
)

func derive(secret, what string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(what))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Person is who the provider says somebody is.
type Person struct {
	Issuer, Subject, Email, Name string
	Groups                       []string
}

var (
	// ErrStranger is of an answer that belongs to no sign-in of this browser.
	ErrStranger = errs.New(errs.Unauthenticated, "this answer belongs to no sign-in of this browser, or it took too long; begin again")

	errRefused    = errs.New(errs.Unauthenticated, "the provider did not sign you in; begin again, or ask whoever runs it")
	errUnverified = errs.New(errs.Forbidden, "the provider does not say that your e-mail address is verified; have it verified there, and begin again")
	errNoEmail    = errs.New(errs.Forbidden, "the provider does not say what your e-mail address is; an admin of this site has to allow it there")
)

// State says whether an answer belongs to the sign-in of a secret. Nothing else of an answer counts before it does.
func State(secret string, answer url.Values) bool {
	return secret != "" && len(answer["state"]) == 1 && subtle.ConstantTimeCompare([]byte(derive(secret, forState)), []byte(answer.Get("state"))) == 1
}

// Finish returns who it is by the answer that a browser brings back, which has the secret that Begin was given. Errors: Unauthenticated (it
// belongs to another sign-in, or was used before), Forbidden (no verified address), Unavailable.
func (p *Provider) Finish(ctx context.Context, secret string, answer url.Values) (Person, error) {
	if !State(secret, answer) {
		return Person{}, ErrStranger
	}
	if iss := answer["iss"]; len(iss) > 0 && (len(iss) > 1 || iss[0] != p.opt.Issuer) { // RFC 9207: the answer of another provider
		return Person{}, ErrStranger
	}
	if answer.Has("error") || len(answer["code"]) != 1 {
		p.opt.Log.Info("the OpenID provider signed nobody in", "issuer", p.opt.Issuer, "error", word(answer.Get("error")))
		return Person{}, errRefused
	}
	found, err := p.discover(ctx)
	if err != nil {
		return Person{}, err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	tokens, err := p.flow(found).Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(derive(secret, forVerifier)))
	if err != nil {
		return Person{}, p.refused(err)
	}
	text, _ := tokens.Extra("id_token").(string)
	token, err := found.VerifierContext(ctx, &oidc.Config{ClientID: p.opt.ClientID, Now: p.opt.Now}).Verify(ctx, text)
	if err != nil {
		return Person{}, p.bad("the token does not hold", err)
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(derive(secret, forNonce))) != 1 {
		return Person{}, p.bad("the token is of another sign-in", nil)
	}
	said := claims{}
	if err := token.Claims(&said); err != nil {
		return Person{}, p.bad("the token cannot be read", err)
	}
	if azp := said.text("azp"); azp != "" && azp != p.opt.ClientID || azp == "" && len(token.Audience) > 1 { // OpenID Connect Core, 3.1.3.7
		return Person{}, p.bad("the token was made for another program", nil)
	}
	if err := p.ask(ctx, found, tokens, token.Subject, said); err != nil {
		return Person{}, err
	}
	return p.person(token, said)
}

// claims are what a token, or the provider, says of a person.
type claims map[string]json.RawMessage

// ask asks the provider for what the token does not say. Of what it says that stands.
func (p *Provider) ask(ctx context.Context, found *oidc.Provider, tokens *oauth2.Token, subject string, said claims) error {
	_, hasEmail := said["email"]
	_, hasGroups := said[p.opt.Groups]
	if hasEmail && hasGroups || found.UserInfoEndpoint() == "" {
		return nil
	}
	info, err := found.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return p.away("who somebody is", err)
	}
	if info.Subject != subject { // OpenID Connect Core, 5.3.2
		return p.bad("it answers of somebody else", nil)
	}
	more := claims{}
	if err := info.Claims(&more); err != nil {
		return p.bad("its answer cannot be read", err)
	}
	if hasEmail { // an address and whether it is verified come from one place
		delete(more, "email")
		delete(more, "email_verified")
	} else {
		delete(said, "email_verified")
	}
	for name, value := range more {
		if _, has := said[name]; !has {
			said[name] = value
		}
	}
	return nil
}

func (p *Provider) person(token *oidc.IDToken, said claims) (Person, error) {
	who := Person{Issuer: token.Issuer, Subject: token.Subject, Email: said.text("email"), Name: said.text("name"), Groups: said.texts(p.opt.Groups)}
	switch {
	case who.Email == "":
		return who, errNoEmail
	case !said.yes("email_verified"):
		return who, errUnverified
	}
	return who, nil
}

// text is a claim that is a text; "" where it is none.
func (c claims) text(name string) (text string) {
	_ = json.Unmarshal(c[name], &text)
	return text
}

// texts is a claim that is a list of texts, or a single one.
func (c claims) texts(name string) (list []string) {
	if json.Unmarshal(c[name], &list) == nil {
		return list
	}
	if text := c.text(name); text != "" {
		return []string{text}
	}
	return nil
}

// yes says whether a claim is true; some providers write it as a text.
func (c claims) yes(name string) bool {
	return string(c[name]) == "true" || string(c[name]) == `"true"`
}

// refused tells a code that the provider does not take from a provider that does not answer.
func (p *Provider) refused(err error) error {
	var e *oauth2.RetrieveError
	if errors.As(err, &e) && e.Response.StatusCode < 500 && e.ErrorCode == "invalid_grant" {
		return p.bad("it does not take the code", err)
	}
	return p.away("a token", err)
}

// bad says in the log what is wrong with an answer, and to people that they are not signed in.
func (p *Provider) bad(why string, err error) error {
	text := ""
	if err != nil {
		text = tame(err)
	}
	p.opt.Log.Warn("a sign-in by the OpenID provider is refused", "issuer", p.opt.Issuer, "why", why, "error", text)
	return &errs.Error{Code: errs.Unauthenticated, Message: errRefused.Message, Err: err}
}

// word is a code of OAuth; anything may stand in an address.
func word(text string) string {
	for _, r := range text {
		if r != '_' && (r < 'a' || r > 'z') {
			return "(none)"
		}
	}
	return text[:min(len(text), 60)]
}
