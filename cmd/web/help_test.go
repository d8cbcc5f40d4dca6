package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

var flagNamed = regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z-]+)`)

func TestHelpHasTheSettingsThatConcernACommand(t *testing.T) {
	t.Parallel()
	p := &place{t: t, dir: t.TempDir()}
	for command, want := range map[string]string{ //nolint:gosec // names of flags
		"":             "help",
		"doctor":       "help data-dir database-url",
		"db-url":       "help data-dir database-url",
		"psql":         "help data-dir database-url",
		"token list":   "help data-dir database-url",
		"token create": "help data-dir database-url name rights queues expires",
		"token rotate": "help data-dir database-url overlap",
		"user list":    "help listen data-dir database-url base-url tls-cert tls-key",
		"migrate":      "help data-dir database-url listen-url",
		"health":       "help listen tls-cert tls-key",
		"version":      "help",
		"serve": "help any-destination listen data-dir database-url listen-url tls-cert tls-key max-connections base-url proxies admin-email admin-password secret-key secrets-dir oidc-issuer oidc-client-id oidc-client-secret oidc-name oidc-groups oidc-scopes header-user header-groups header-from group-roles sign-up sign-in-domains env pg-bin pool-size import-limit drain-timeout " +
			"log-level log-format metrics-open",
	} {
		out := p.must(append(strings.Fields(command), "--help")...)
		var flags []string
		for _, m := range flagNamed.FindAllStringSubmatch(out, -1) {
			flags = append(flags, m[1])
		}
		wanted := strings.Fields(want)
		slices.Sort(flags)
		slices.Sort(wanted)
		if !slices.Equal(flags, wanted) {
			t.Errorf("fetchq %s --help has %q; %q is wanted", command, flags, wanted)
		}
	}
	if out := p.must("--help"); !strings.Contains(out, "fetchq serve --help") {
		t.Errorf("fetchq --help does not say where all settings stand:\n%s", out)
	}
	if out := p.must("--data-dir", "elsewhere", "version"); out == "" {
		t.Error("a setting that help leaves out is refused")
	}
}
