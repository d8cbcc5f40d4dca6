package auth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
)

// TestWhomTheSettingsLetIn has one account after the other by what is asked for.
func TestWhomTheSettingsLetIn(t *testing.T) {
	t.Parallel()
	users := auth.NewUsers(dbtest.New(t), time.Now)
	ctx := t.Context()
	open := auth.Entrance{SignUp: true, Roles: map[string]auth.Role{"ops": auth.RoleOperator, "admins": auth.RoleAdmin, auth.Everybody: auth.RoleViewer}}
	closed, groups, domains := open, open, open
	closed.SignUp = false
	groups.Roles = map[string]auth.Role{"ops": auth.RoleOperator}
	domains.Domains = []string{"Example.org"}
	who := func(subject string, groups ...string) auth.Person {
		return auth.Person{Issuer: "https://id.example.org", Subject: subject, Email: subject + "@example.org", Groups: groups}
	}
	if _, err := users.Admit(ctx, open, who("early")); errs.Of(err) != errs.Forbidden {
		t.Errorf("somebody who is no admin comes first: %v", err)
	}
	root, err := users.Admit(ctx, open, who("root", "ops", "admins"))
	if err != nil || root.Role != auth.RoleAdmin || root.HasPassword || !root.External() {
		t.Fatalf("the first admin: %+v %v", root, err)
	}
	moved := who("root", "admins")
	moved.Email = "else@example.org"
	if got, err := users.Admit(ctx, closed, moved); err != nil || got.ID != root.ID || got.Email != root.Email {
		t.Errorf("with another address: %+v %v", got, err)
	}
	other := who("other", "admins")
	other.Email = "ROOT@example.org"
	if got, err := users.Admit(ctx, open, other); errs.Of(err) != errs.Forbidden {
		t.Errorf("another person with the address of somebody: %+v %v", got, err)
	}
	elsewhere := who("root", "admins")
	elsewhere.Issuer = "https://id.example.net"
	if got, err := users.Admit(ctx, open, elsewhere); errs.Of(err) != errs.Forbidden {
		t.Errorf("the same number at another provider: %+v %v", got, err)
	}
	for name, tt := range map[string]struct {
		e    auth.Entrance
		p    auth.Person
		role auth.Role // "": refused
	}{
		"everybody":           {open, who("a", "nobody's"), auth.RoleViewer},
		"the higher of two":   {open, who("b", "admins", "ops"), auth.RoleAdmin},
		"no sign-up":          {closed, who("c"), ""},
		"no group":            {groups, who("d", "opsx", "*"), ""},
		"a domain":            {domains, who("e"), auth.RoleViewer},
		"a domain below":      {domains, auth.Person{Issuer: "i", Subject: "f", Email: "f@sub.example.org"}, ""},
		"a domain like it":    {domains, auth.Person{Issuer: "i", Subject: "f", Email: "f@notexample.org"}, ""},
		"no address":          {open, auth.Person{Issuer: "i", Subject: "g", Email: "g"}, ""},
		"no subject":          {open, auth.Person{Issuer: "i", Email: "h@example.org"}, ""},
		"a subject with NUL":  {open, auth.Person{Issuer: "i", Subject: "a\x00b", Email: "h@example.org"}, ""},
		"a name that is long": {open, auth.Person{Issuer: "i", Subject: "j", Email: "j@example.org", Name: strings.Repeat("é", 80)}, auth.RoleViewer},
	} {
		got, err := users.Admit(ctx, tt.e, tt.p)
		if tt.role == "" && errs.Of(err) != errs.Forbidden || tt.role != "" && (err != nil || got.Role != tt.role) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}

	// Somebody whom an admin added is bound at the first sign-in, whatever sign-up says; the link is over then.
	invited, err := users.Create(ctx, "invited@example.org", "", auth.RoleAdmin)
	if err != nil {
		t.Fatal(err)
	}
	link, err := users.Link(ctx, invited.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := users.Admit(ctx, closed, who("invited")); err != nil || got.ID != invited.ID || got.Role != auth.RoleViewer {
		t.Errorf("somebody whom an admin added: %+v %v", got, err)
	}
	if _, err := users.LinkUser(ctx, link); errs.Of(err) != errs.NotFound {
		t.Errorf("the link is good yet: %v", err)
	}
	if _, err := users.Disable(ctx, invited.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := users.Admit(ctx, open, who("invited", "admins")); errs.Of(err) != errs.Forbidden {
		t.Errorf("somebody who is disabled: %v", err)
	}
}

func TestConnectingLeavesSomebodyWhoGoverns(t *testing.T) {
	t.Parallel()
	users := auth.NewUsers(dbtest.New(t), time.Now)
	ctx := t.Context()
	if err := users.Bootstrap(ctx, "root@example.org", "correct horse battery"); err != nil {
		t.Fatal(err)
	}
	root, err := users.Find(ctx, "root@example.org")
	if err != nil {
		t.Fatal(err)
	}
	e := auth.Entrance{Roles: map[string]auth.Role{"admins": auth.RoleAdmin, auth.Everybody: auth.RoleViewer}}
	p := auth.Person{Issuer: "https://id.example.org", Subject: "1", Email: "somebody@example.net"}
	if _, err := users.Connect(ctx, e, p, root.ID); errs.Of(err) != errs.Invalid {
		t.Errorf("the last admin becomes a viewer: %v", err)
	}
	if _, err := users.SignIn(ctx, root.Email, "correct horse battery", "192.0.2.1"); err != nil {
		t.Errorf("the password went with what was refused: %v", err)
	}
	p.Groups = []string{"admins"}
	if got, err := users.Connect(ctx, e, p, root.ID); err != nil || !got.External() || got.HasPassword {
		t.Fatalf("%+v %v", got, err)
	}
	if got, err := users.Admit(ctx, e, p); err != nil || got.ID != root.ID {
		t.Errorf("%+v %v", got, err)
	}
	bob, err := users.Create(ctx, "bob@example.org", "", auth.RoleViewer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := users.Connect(ctx, e, p, bob.ID); errs.Of(err) != errs.Forbidden {
		t.Errorf("one person has two accounts: %v", err)
	}
}
