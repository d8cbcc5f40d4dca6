package auth

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// FuzzToken tells tokens from what looks like one. A token with one letter changed is none.
func FuzzToken(f *testing.F) {
	f.Add(mint(), uint8(5))
	f.Add("fq_", uint8(0))
	f.Add(strings.Repeat("f", tokenLength), uint8(9))
	f.Fuzz(func(t *testing.T, text string, at uint8) {
		if !wellFormed(text) {
			return
		}
		i := int(at) % len(text)
		changed := []byte(text)
		changed[i] ^= 1
		if wellFormed(string(changed)) {
			t.Fatalf("%q and %q both have a good checksum", text, changed)
		}
	})
}

// FuzzHashOfPassword reads hashes of passwords as a damaged database, or a backup that somebody made, could hold them.
func FuzzHashOfPassword(f *testing.F) {
	f.Add("$argon2id$v=19$m=65536,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2U")
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=1$$")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		salt, key, memory, passes, err := parsePHC(text)
		if err == nil && (len(salt) < 8 || len(key) < 16 || memory > mostMemory || passes == 0 || passes > mostPasses) {
			t.Fatalf("%q is taken: salt of %d bytes, key of %d, %d KiB, %d passes", text, len(salt), len(key), memory, passes)
		}
	})
}

// FuzzAddress reads who asks out of what proxies and others say. It is the peer, or an address.
func FuzzAddress(f *testing.F) {
	f.Add("10.0.0.1:5000", "203.0.113.9, 10.0.0.2")
	f.Add("10.0.0.1:5000", "::ffff:203.0.113.9,,%eth0")
	f.Add("[fe80::1%eth0]:80", "\x00")
	proxies := Proxies{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, peer, said string) {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.RemoteAddr = peer
		r.Header["X-Forwarded-For"] = []string{said}
		if got := proxies.Address(r); strings.ContainsAny(got, ",\n\x00") && !strings.Contains(peer, got) {
			t.Fatalf("%q and %q make %q", peer, said, got)
		}
	})
}
