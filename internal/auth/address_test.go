package auth

import (
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestAddressBelievesNamedProxiesOnly(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for name, tt := range map[string]struct {
		remote    string
		forwarded []string
		proxies   []netip.Prefix
		want      string
	}{
		"none":                   {"192.0.2.1:5", nil, nil, "192.0.2.1"},
		"none is named":          {"10.0.0.1:5", []string{"198.51.100.7"}, nil, "10.0.0.1"},
		"a stranger says so":     {"192.0.2.1:5", []string{"198.51.100.7"}, proxies, "192.0.2.1"},
		"one proxy":              {"10.0.0.1:5", []string{"198.51.100.7"}, proxies, "198.51.100.7"},
		"of IPv6":                {"[fd00::1]:5", []string{"2001:db8::7"}, proxies, "2001:db8::7"},
		"two":                    {"10.0.0.1:5", []string{"198.51.100.7, 10.0.0.2"}, proxies, "198.51.100.7"},
		"in two lines":           {"10.0.0.1:5", []string{"198.51.100.7", "10.0.0.2"}, proxies, "198.51.100.7"},
		"what the browser added": {"10.0.0.1:5", []string{"203.0.113.9, 198.51.100.7"}, proxies, "198.51.100.7"},
		"a proxy made up":        {"10.0.0.1:5", []string{"203.0.113.9, 10.9.9.9, 198.51.100.7"}, proxies, "198.51.100.7"},
		"no address":             {"10.0.0.1:5", []string{"203.0.113.9, unknown"}, proxies, "10.0.0.1"},
		"nothing":                {"10.0.0.1:5", []string{""}, proxies, "10.0.0.1"},
		"proxies alone":          {"10.0.0.1:5", []string{"10.0.0.3"}, proxies, "10.0.0.3"},
		"IPv4 in IPv6":           {"10.0.0.1:5", []string{"::ffff:198.51.100.7"}, proxies, "198.51.100.7"},
		"no port":                {"@", []string{"198.51.100.7"}, proxies, "@"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tt.remote
		for _, line := range tt.forwarded {
			r.Header.Add("X-Forwarded-For", line)
		}
		if got := Proxies(tt.proxies).Address(r); got != tt.want {
			t.Errorf("%s: %q; %q is wanted", name, got, tt.want)
		}
	}
}
