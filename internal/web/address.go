package web

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// address is where a request comes from. Behind proxies that the settings name it is what the outermost of them saw; what
// others say of themselves in X-Forwarded-For is not believed.
func (s *Server) address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !s.isProxy(host) {
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

func (s *Server) isProxy(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && slices.ContainsFunc(s.Proxies, func(p netip.Prefix) bool { return p.Contains(a.Unmap().WithZone("")) })
}
