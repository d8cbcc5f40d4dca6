package config

import (
	"maps"
	"strings"
	"testing"
)

func TestSettingsThatLetInTooManyAreRefused(t *testing.T) {
	sound := Config{PoolSize: 20, ImportLimit: 1}
	provider := sound
	provider.BaseURL, provider.OIDCIssuer, provider.OIDCClient, provider.GroupRoles = "https://queue.example.org", "https://id.example.org", "fetchq", []string{"*=viewer"}
	header := sound
	header.HeaderUser, header.HeaderFrom, header.GroupRoles = "X-Forwarded-Email", []string{"10.0.0.5"}, []string{"*=viewer"}
	for name, tt := range map[string]struct {
		c    Config
		with func(*Config)
		want string
	}{
		"a provider":              {provider, func(*Config) {}, ""},
		"one on this machine":     {provider, func(c *Config) { c.OIDCIssuer = "http://127.0.0.1:5556/dex" }, ""},
		"one without TLS":         {provider, func(c *Config) { c.OIDCIssuer = "http://id.example.org" }, "FETCHQ_OIDC_ISSUER"},
		"one that is no address":  {provider, func(c *Config) { c.OIDCIssuer = "id.example.org" }, "FETCHQ_OIDC_ISSUER"},
		"no client":               {provider, func(c *Config) { c.OIDCClient = "" }, "FETCHQ_OIDC_CLIENT_ID"},
		"no way back":             {provider, func(c *Config) { c.BaseURL = "" }, "FETCHQ_BASE_URL"},
		"no roles":                {provider, func(c *Config) { c.GroupRoles = nil }, "FETCHQ_GROUP_ROLES"},
		"both":                    {provider, func(c *Config) { c.HeaderUser, c.HeaderFrom = "X-User", []string{"10.0.0.5"} }, "exclude"},
		"roles of nobody":         {sound, func(c *Config) { c.GroupRoles = []string{"*=admin"} }, "FETCHQ_HEADER_USER"},
		"headers of nobody":       {sound, func(c *Config) { c.HeaderFrom = []string{"10.0.0.5"} }, "FETCHQ_HEADER_USER"},
		"a header":                {header, func(c *Config) { c.HeaderGroups = "X-Forwarded-Groups" }, ""},
		"from anywhere":           {header, func(c *Config) { c.HeaderFrom = nil }, "FETCHQ_HEADER_FROM"},
		"from everywhere":         {header, func(c *Config) { c.HeaderFrom = []string{"::1", "::/0"} }, "every address"},
		"from a name":             {header, func(c *Config) { c.HeaderFrom = []string{"proxy"} }, "FETCHQ_HEADER_FROM"},
		"a header with a space":   {header, func(c *Config) { c.HeaderUser = "X Forwarded" }, "FETCHQ_HEADER_USER"},
		"one header for two":      {header, func(c *Config) { c.HeaderGroups = "x-forwarded-email" }, "two are wanted"},
		"a header without a role": {header, func(c *Config) { c.GroupRoles = nil }, "FETCHQ_GROUP_ROLES"},
		"a role that is none":     {header, func(c *Config) { c.GroupRoles = []string{"ops=root"} }, "FETCHQ_GROUP_ROLES"},
		"a role without a group":  {header, func(c *Config) { c.GroupRoles = []string{"=viewer"} }, "FETCHQ_GROUP_ROLES"},
		"a group without a role":  {header, func(c *Config) { c.GroupRoles = []string{"viewer"} }, "FETCHQ_GROUP_ROLES"},
		"a group twice":           {header, func(c *Config) { c.GroupRoles = []string{"a=viewer", "a=admin"} }, "twice"},
	} {
		c := tt.c
		tt.with(&c)
		err := c.Check()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; %q is wanted", name, err, tt.want)
		}
	}
}

func TestRolesOfGroups(t *testing.T) {
	got, err := Config{GroupRoles: []string{" ops = operator", "cn=admins=admin", "*=viewer"}}.RolesOfGroups()
	if want := map[string]string{"ops": "operator", "cn=admins": "admin", "*": "viewer"}; err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}
