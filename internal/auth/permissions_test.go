package auth

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestTheTableOfPermissions says in full who may what; a change of the table is a change of this text.
func TestTheTableOfPermissions(t *testing.T) {
	t.Parallel()
	var got []string
	for _, p := range Permissions {
		line := string(p) + ":"
		for _, r := range Roles {
			if r.May(p) {
				line += " " + string(r)
			}
		}
		line += " |"
		for _, right := range Rights {
			if (Token{Rights: []string{right}}).May(p) {
				line += " " + right
			}
		}
		got = append(got, line)
		if p.Words() == "" || p.OnPages() != strings.Contains(line, "admin |") {
			t.Errorf("%s: %q, on the pages: %v", p, p.Words(), p.OnPages())
		}
	}
	want := []string{
		"see: viewer operator admin | read admin",
		"add: operator admin | push admin",
		"hold: | work admin",
		"note: | metrics admin",
		"act: operator admin | admin",
		"halt: operator admin | admin",
		"share: operator admin |",
		"reveal: admin | read admin",
		"manage: admin | admin",
		"backup: admin | admin",
		"govern: admin |",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(Permissions) != len(rules) {
		t.Errorf("%d permissions are listed, %d have a rule", len(Permissions), len(rules))
	}
}

func TestWhoIsUnknownMayNothing(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, p := range append([]Permission{"", "fly"}, Permissions...) {
		if (User{}).May(p) || (User{Role: "root"}).May(p) || (Token{}).May(p) || (User{Role: RoleAdmin, DisabledAt: &now}).May(p) {
			t.Errorf("somebody may %q", p)
		}
	}
	if RoleAdmin.May("") || RoleAdmin.May("fly") || (Token{Rights: []string{Admin}}).May("fly") || (Token{Rights: []string{Admin}}).May(Govern) {
		t.Error("what no rule allows is allowed")
	}
}
