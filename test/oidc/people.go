package main

import (
	"context"
	"sync"

	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// person is somebody whom the provider knows.
type person struct {
	Email    string   `json:"email"`
	Verified bool     `json:"verified"`
	Name     string   `json:"name"`
	Groups   []string `json:"groups"`
	InToken  bool     `json:"in_token"` // address and groups stand in the token, and are not only told when asked for
}

// people is the storage of zitadel's example, with people who come and go.
type people struct {
	*storage.Storage
	mu  sync.Mutex
	all map[string]*person
}

func newPeople() *people {
	p := &people{all: map[string]*person{}}
	p.Storage = storage.NewStorage(p)
	return p
}

func (p *people) put(name string, who *person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all[name] = who
}

func (p *people) get(name string) *person {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all[name]
}

// GetUserByID is of the example's storage of users.
func (p *people) GetUserByID(id string) *storage.User { return p.GetUserByUsername(id) }

// GetUserByUsername is too. Everybody's password is empty.
func (p *people) GetUserByUsername(name string) *storage.User {
	who := p.get(name)
	if who == nil {
		return nil
	}
	return &storage.User{ID: name, Username: name, FirstName: who.Name, Email: who.Email, EmailVerified: who.Verified}
}

// ExampleClientID is too.
func (p *people) ExampleClientID() string { return "service" }

// SetUserinfoFromRequest fills a token.
func (p *people) SetUserinfoFromRequest(ctx context.Context, info *oidc.UserInfo, token op.IDTokenRequest, scopes []string) error {
	if err := p.Storage.SetUserinfoFromRequest(ctx, info, token, scopes); err != nil {
		return err
	}
	if who := p.get(token.GetSubject()); who.InToken {
		info.Email, info.EmailVerified = who.Email, oidc.Bool(who.Verified)
		info.AppendClaims("groups", who.Groups)
	}
	return nil
}

// SetUserinfoFromToken fills what is told of a person.
func (p *people) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, id, subject, origin string) error {
	if err := p.Storage.SetUserinfoFromToken(ctx, info, id, subject, origin); err != nil {
		return err
	}
	info.AppendClaims("groups", p.get(subject).Groups)
	return nil
}
