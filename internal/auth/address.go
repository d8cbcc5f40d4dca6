package auth

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are those before this server whose X-Forwarded-For is believed.
type Proxies []netip.Prefix

// Address is where a request comes from. Behind proxies that the settings name it is what the outermost of them saw; what
// others say of themselves in X-Forwarded-For is not believed.
func (p Proxies) Address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !p.has(host) {
			break
		}
		before, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break // each proxy adds a hop: what stands before one that cannot be read was made up
		}
		host = before.Unmap().WithZone("").String()
	}
	return host
}

// Sent says whether one of them sent a request itself.
func (p Proxies) Sent(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	return err == nil && p.has(host)
}

func (p Proxies) has(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && slices.ContainsFunc(p, func(net netip.Prefix) bool { return net.Contains(a.Unmap().WithZone("")) })
}
