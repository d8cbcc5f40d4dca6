package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// checkEntrance looks at the settings of those whom somebody else identifies. What would let in more people than was meant is refused.
func (c Config) checkEntrance() error {
	roles, err := c.RolesOfGroups()
	if err != nil {
		return err
	}
	if c.OIDCIssuer == "" && c.HeaderUser == "" {
		if c.OIDCClient != "" || c.HeaderGroups != "" || len(c.HeaderFrom) > 0 || len(roles) > 0 || c.SignUp || len(c.SignInDomains) > 0 {
			return errors.New("there are settings of a provider or proxy that signs people in, but neither FETCHQ_OIDC_ISSUER nor FETCHQ_HEADER_USER says which")
		}
		return nil
	}
	if c.OIDCIssuer != "" && c.HeaderUser != "" {
		return errors.New("FETCHQ_OIDC_ISSUER and FETCHQ_HEADER_USER exclude each other: set one of them")
	}
	if len(roles) == 0 {
		return errors.New("FETCHQ_GROUP_ROLES is missing: nobody would come in; *=viewer lets everybody read whom the provider or proxy lets in")
	}
	if c.HeaderUser != "" {
		return c.checkHeaders()
	}
	return c.checkProvider()
}

func (c Config) checkProvider() error {
	u, err := url.Parse(c.OIDCIssuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return fmt.Errorf("FETCHQ_OIDC_ISSUER is %q; an address like https://id.example.org is wanted", c.OIDCIssuer)
	}
	if c.OIDCClient == "" {
		return errors.New("FETCHQ_OIDC_ISSUER and FETCHQ_OIDC_CLIENT_ID go together; the latter is missing")
	}
	if c.BaseURL == "" {
		return errors.New("FETCHQ_OIDC_ISSUER wants FETCHQ_BASE_URL too: the provider sends people back there")
	}
	return nil
}

func (c Config) checkHeaders() error {
	for variable, name := range map[string]string{"FETCHQ_HEADER_USER": c.HeaderUser, "FETCHQ_HEADER_GROUPS": c.HeaderGroups} {
		if strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return fmt.Errorf("%s is %q; the name of a header is wanted, as in X-Forwarded-Email", variable, name)
		}
	}
	if strings.EqualFold(c.HeaderUser, c.HeaderGroups) {
		return errors.New("FETCHQ_HEADER_USER and FETCHQ_HEADER_GROUPS name one header; two are wanted")
	}
	if len(c.HeaderFrom) == 0 {
		return errors.New("FETCHQ_HEADER_USER wants FETCHQ_HEADER_FROM too: without it, whoever reaches this server could be anybody")
	}
	nets, err := c.HeaderPrefixes()
	if err != nil {
		return err
	}
	for _, n := range nets {
		if n.Bits() == 0 {
			return fmt.Errorf("FETCHQ_HEADER_FROM holds %s, which is every address: whoever reaches this server could be anybody", n)
		}
	}
	return nil
}

// HeaderPrefixes are the networks from which the headers of FETCHQ_HEADER_USER are believed.
func (c Config) HeaderPrefixes() ([]netip.Prefix, error) {
	return prefixes("FETCHQ_HEADER_FROM", c.HeaderFrom)
}

// RolesOfGroups are the words of roles by group; * is everybody.
func (c Config) RolesOfGroups() (map[string]string, error) {
	roles := map[string]string{}
	for _, text := range c.GroupRoles {
		i := strings.LastIndex(text, "=")
		if i < 0 {
			i = len(text)
		}
		group, role := strings.TrimSpace(text[:i]), strings.TrimSpace(strings.TrimPrefix(text[i:], "="))
		if group == "" || role != "viewer" && role != "operator" && role != "admin" {
			return nil, fmt.Errorf("FETCHQ_GROUP_ROLES holds %q; a group and one of viewer, operator and admin are wanted, as in ops=operator", text)
		}
		if roles[group] != "" {
			return nil, fmt.Errorf("FETCHQ_GROUP_ROLES names the group %q twice", group)
		}
		roles[group] = role
	}
	return roles, nil
}

// ProviderName is what people call the OpenID provider.
func (c Config) ProviderName() string {
	if c.OIDCName != "" {
		return c.OIDCName
	}
	u, err := url.Parse(c.OIDCIssuer)
	if err != nil {
		return c.OIDCIssuer
	}
	return u.Hostname()
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
