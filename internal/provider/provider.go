// Package provider signs people in by an OpenID provider: the authorization code flow with PKCE, a state and a nonce.
package provider

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/fetchq/server/internal/errs"
)

// Options of a provider.
type Options struct {
	Issuer       string // its address
	ClientID     string
	ClientSecret string   // may be empty: PKCE alone
	Name         string   // what people call it
	Groups       string   // the claim with the groups
	Scopes       []string // besides openid
	Redirect     string   // the address to which it sends people back
	Log          *slog.Logger
	Now          func() time.Time
}

// patience is how long one request to the provider may take.
const patience = 10 * time.Second

// Provider is an OpenID provider. It is asked nothing before somebody wants to sign in. Its methods are safe for concurrent use.
type Provider struct {
	opt    Options
	client *http.Client
	mu     sync.Mutex
	found  *oidc.Provider // nil: what it says of itself is not known yet
	failed time.Time      // when it was asked last, in vain
}

// New returns the provider of the settings.
func New(opt Options) *Provider {
	return &Provider{opt: opt, client: &http.Client{
		Timeout: patience, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, IdleConnTimeout: patience, ForceAttemptHTTP2: true, ResponseHeaderTimeout: patience},
		// A token endpoint that leads elsewhere would have the secret of the client sent there.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Name is what people call the provider.
func (p *Provider) Name() string { return p.opt.Name }

var errAway = errs.New(errs.Unavailable, "the provider does not answer; try again in a minute, or tell an admin of this site")

// again is how long a provider that does not answer is left alone: those who waited for one try do not each begin another.
const again = 3 * time.Second

// discover reads what the provider says of itself, once it answers. Several who ask at once wait for one.
func (p *Provider) discover(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if p.opt.Now().Sub(p.failed) < again {
		return nil, errAway
	}
	// It keeps its context to read keys later, so that this is not the one of a request. The client's time limit holds.
	found, err := oidc.NewProvider(oidc.ClientContext(context.Background(), p.client), p.opt.Issuer)
	if err != nil {
		p.failed = p.opt.Now()
		return nil, p.away("what it says of itself", err)
	}
	p.found = found
	return found, nil
}

// away says in the log what failed, and to people that the provider does not answer.
func (p *Provider) away(what string, err error) error {
	p.opt.Log.Error("the OpenID provider does not answer as it should", "issuer", p.opt.Issuer, "asked_for", what, "error", tame(err))
	return &errs.Error{Code: errs.Unavailable, Message: errAway.Message, Err: err}
}

// tame is an error without the body of an answer, in which tokens may stand.
func tame(err error) string {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		return "it refuses: " + refused.Response.Status + " " + refused.ErrorCode
	}
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err.Error()
	}
	text := err.Error()
	return text[:min(len(text), 300)]
}

func (p *Provider) flow(found *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.opt.ClientID, ClientSecret: p.opt.ClientSecret, Endpoint: found.Endpoint(), RedirectURL: p.opt.Redirect,
		Scopes: append([]string{oidc.ScopeOpenID}, p.opt.Scopes...),
	}
}

// Begin returns where to send a browser that has a secret of this sign-in alone: state, nonce and the verifier of PKCE come from it.
// Errors: Unavailable.
func (p *Provider) Begin(ctx context.Context, secret string) (string, error) {
	found, err := p.discover(ctx)
	if err != nil {
		return "", err
	}
	return p.flow(found).AuthCodeURL(derive(secret, forState), oidc.Nonce(derive(secret, forNonce)), oauth2.S256ChallengeOption(derive(secret, forVerifier))), nil
}
