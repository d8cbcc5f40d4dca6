package queue_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A kind is one sort of error of a program: what it says differs from time to time in what stands for a value, and not in what it means.
type kind struct {
	name string
	say  func(*value) string
}

// program is a program whose errors stand in the corpus.
type program struct {
	name  string
	kinds []kind
}

// value makes up what differs between two messages of one kind.
type value struct{ *rand.Rand }

func (v *value) one(of ...string) string { return of[v.IntN(len(of))] }
func (v *value) n(most int) int          { return v.IntN(most) + 1 }

func (v *value) letters(from string, n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(from[v.IntN(len(from))])
	}
	return b.String()
}

func (v *value) hex(n int) string { return v.letters("0123456789abcdef", n) }
func (v *value) key(n int) string { return v.letters("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", n) }
func (v *value) ip() string {
	return fmt.Sprintf("%d.%d.%d.%d", v.n(220), v.IntN(256), v.IntN(256), v.n(250))
}
func (v *value) port() int { return 1024 + v.IntN(60000) }

func (v *value) ip6() string {
	return fmt.Sprintf("2001:db8:%s:%s::%s", v.hex(4), v.hex(3), v.hex(2))
}

func (v *value) uuid() string {
	return v.hex(8) + "-" + v.hex(4) + "-4" + v.hex(3) + "-a" + v.hex(3) + "-" + v.hex(12)
}

func (v *value) word() string {
	return v.one("orders", "alpha", "feed", "Basket", "user_profile", "thumbnail", "north", "ledger", "quote", "sku", "Mueller", "träger")
}

func (v *value) host() string {
	return v.one("www", "api", "cdn", "img-3", "shop", "m", "static", "eu-west") + "." +
		v.one("acme", "globex", "initech", "hooli", "umbrella-corp", "stark", "wayne42") + "." + v.one("com", "org", "net", "io", "de", "co.uk", "dev", "example")
}

func (v *value) path() string {
	parts := make([]string, v.n(4))
	for i := range parts {
		parts[i] = v.one(v.word(), fmt.Sprint(v.n(90000)), v.hex(8), "v2", "items")
	}
	return "/" + strings.Join(parts, "/")
}

func (v *value) url() string {
	u := v.one("https", "https", "http") + "://" + v.host()
	if v.IntN(5) == 0 {
		u += fmt.Sprintf(":%d", v.port())
	}
	u += v.path()
	if v.IntN(3) == 0 {
		u += fmt.Sprintf("?page=%d&q=%s", v.n(99), v.word())
	}
	return u
}

func (v *value) file() string {
	return v.one("/srv/app", "/data/releases/"+fmt.Sprint(20260000+v.n(9999)), "/var/lib/crawler", "/opt/jobs") + v.path()
}

func (v *value) time() string {
	return fmt.Sprintf("2026-%02d-%02dT%02d:%02d:%02dZ", v.n(12), v.n(28), v.IntN(24), v.IntN(60), v.IntN(60))
}

func (v *value) duration() string {
	return v.one(fmt.Sprintf("%dms", v.n(9000)), fmt.Sprintf("%.1fs", v.Float64()*60), fmt.Sprintf("%ds", v.n(90)), fmt.Sprintf("%dm%ds", v.n(9), v.n(59)))
}

// tail is the lower end of a stack, which differs by who called: so many of these lines.
func (v *value) tail(lines ...string) string {
	v.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	return strings.Join(lines[:v.IntN(len(lines)+1)], "")
}
