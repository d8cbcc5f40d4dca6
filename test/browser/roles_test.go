package browser_test

import (
	"testing"

	"github.com/fetchq/server/internal/auth"
)

// TestEachRoleSeesWhatItMayDo wants an action that a role lacks to be absent, or disabled with the reason, and the page behind
// it to be refused.
func TestEachRoleSeesWhatItMayDo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages", "a")
	tests := []struct {
		role                 auth.Role
		halt, manage, govern bool
	}{
		{auth.RoleViewer, false, false, false},
		{auth.RoleOperator, true, false, false},
		{auth.RoleAdmin, true, true, true},
	}
	for _, tt := range tests {
		t.Run(string(tt.role), func(t *testing.T) {
			p := s.as(t, tt.role)
			p.allow("status of 403")
			has := func(selector, text string, want bool) {
				t.Helper()
				if got := get[bool](p, `[...document.querySelectorAll(`+quote(selector)+`)].some((el) => !el.disabled && el.textContent.includes(`+quote(text)+`))`); got != want {
					t.Errorf("%s: %q is there: %v, want %v", p.path(), text, got, want)
				}
			}
			p.visit("/queues")
			has("a", "New queue", tt.manage)
			has("[data-selection] button", "Resume", tt.halt)
			has(".rail a", "Team", tt.govern)
			p.visit("/queues/pages")
			has("a", "Pause…", tt.halt)
			has("a", "Add a document", tt.halt)
			if !tt.halt && get[string](p, `document.querySelector('[data-bar] button[disabled]').title`) == "" {
				t.Error("a disabled button gives no reason")
			}
			p.visit("/queues/pages/settings")
			has("button", "Save the settings", tt.manage)
			has("a", "Drop the queue…", tt.manage)
			for path, allowed := range map[string]bool{"/queues/pause?queue=pages": tt.halt, "/queues/new": tt.manage, "/queues/pages/drop": tt.manage} {
				p.visit(path)
				if refused := p.count(`[data-problem="Not for your role"]`) > 0; refused == allowed {
					t.Errorf("%s is refused: %v, want %v", path, refused, !allowed)
				}
			}
		})
	}
}
