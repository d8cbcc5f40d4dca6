package app

import (
	"time"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/provider"
	"github.com/fetchq/server/internal/web"
)

// entrance is what the settings say of people whom a provider or a proxy identifies.
func (a *App) entrance() (e auth.Entrance, h web.Headers, err error) {
	words, err := a.cfg.RolesOfGroups()
	if err != nil {
		return e, h, err
	}
	roles := make(map[string]auth.Role, len(words))
	for group, role := range words {
		roles[group] = auth.Role(role)
	}
	e = auth.Entrance{Roles: roles, SignUp: a.cfg.SignUp, Domains: a.cfg.SignInDomains}
	from, err := a.cfg.HeaderPrefixes()
	return e, web.Headers{User: a.cfg.HeaderUser, Groups: a.cfg.HeaderGroups, From: from}, err
}

// provider is the OpenID provider of the settings, which is not asked anything yet: the program starts without it. nil: there is none.
func (a *App) provider() *provider.Provider {
	if a.cfg.OIDCIssuer == "" {
		return nil
	}
	return provider.New(provider.Options{
		Issuer: a.cfg.OIDCIssuer, ClientID: a.cfg.OIDCClient, ClientSecret: a.cfg.OIDCSecret, Name: a.cfg.ProviderName(), Groups: a.cfg.OIDCGroups,
		Scopes: a.cfg.OIDCScopes, Redirect: a.URL() + web.CallbackPath, Log: a.log, Now: time.Now,
	})
}
