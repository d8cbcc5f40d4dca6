package queue_test

import (
	"fmt"
	"strings"
)

func (v *value) mixed(n int) string {
	return v.letters("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", n)
}

func (v *value) account() string {
	return v.one("jdoe", "anna.keller", "svc-crawl", "bob42", "Maria.Lopez", "o_brien", "admin", "deploy", "tanaka", "x7431")
}

func (v *value) repository() string {
	return v.one("storefront", "price-crawler", "infra", "web_client", "billing2", "Docs", "ml-models", "worker")
}

func (v *value) branch() string {
	return v.one("main", "release/"+fmt.Sprintf("%d.%d", v.n(9), v.n(30)), "feature/"+v.word(), fmt.Sprintf("SHOP-%d-fix-prices", v.n(9000)), "hotfix-"+v.hex(6), v.account()+"/wip")
}

func (v *value) source() string {
	return v.one("README.md", "src/main.ts", "internal/price/parse.go", "app/models/order.rb", "package-lock.json", fmt.Sprintf("db/migrate/%d_add_index.rb", v.n(900000)), "docs/Über uns.md")
}

func (v *value) region() string { return v.one("eu-west-1", "us-east-2", "ap-southeast-1") }

func (v *value) document() string { return v.one(v.mixed(20), fmt.Sprint(v.n(9000000)), v.uuid()) }

func (v *value) day(between string) string {
	return strings.Join([]string{"2026", fmt.Sprintf("%02d", v.n(12)), fmt.Sprintf("%02d", v.n(28))}, between)
}

// bytes is a size as Elasticsearch writes it, the number and the same in words.
func (v *value) bytes() string {
	return fmt.Sprintf("%d/%.1f%s", v.n(900000000), v.Float64()*999, v.one("b", "kb", "mb", "gb"))
}

// phrase is text from a page, of one word up to a sentence.
func (v *value) phrase() string {
	return v.one("n/a", "on request", "12,99 €", "from 9.90", "Sold out!", "Handmade oak table with six chairs and a drawer", "Crème brûlée, set of 4", v.word(), v.word()+" "+v.word())
}

// dn is the name of a person in a directory.
func (v *value) dn() string {
	return v.one("uid="+v.account()+",ou=people,dc=acme,dc=com", "CN="+v.one("Doe\\, John", "Anna Keller", "Crawler Service")+",OU="+v.one("Staff", "Sales EU", "Service Accounts")+",DC=corp,DC=acme,DC=com")
}

// librdkafka is a line of its log about a broker.
func (v *value) librdkafka(what, state string) string {
	broker := fmt.Sprintf("sasl_ssl://%s:9093/%s", v.host(), v.one("bootstrap", fmt.Sprint(v.n(9))))
	again := v.one("", "", fmt.Sprintf(", %d identical error(s) suppressed", v.n(90)))
	return fmt.Sprintf("%%3|%d.%03d|FAIL|rdkafka#producer-%d| [thrd:%s]: %s: %s (after %dms in state %s%s)", 1796000000+v.n(900000), v.IntN(1000), v.n(9), broker, broker, what, v.n(900), state, again)
}

func (v *value) chrome() string {
	return fmt.Sprintf("%d.0.%d.%d", 120+v.n(20), 6000+v.n(900), v.n(200))
}

// frames are the addresses that chromedriver adds, more or fewer.
func (v *value) frames() string {
	lines := "Stacktrace:"
	for i := range 3 + v.n(8) {
		lines += fmt.Sprintf("\n#%d 0x%s <unknown>", i, v.hex(12))
	}
	return lines
}

func (v *value) selenium(class, what string) string {
	return fmt.Sprintf("selenium.common.exceptions.%s: Message: %s\n  (Session info: chrome=%s)\n%s", class, what, v.chrome(), v.frames())
}

// nginx is a line of its error log about a request.
func (v *value) nginx(what string, upstream bool) string {
	host := v.host()
	pid := v.n(90000)
	line := fmt.Sprintf("%s %02d:%02d:%02d [error] %d#%d: *%d %s, client: %s, server: %s, request: \"%s %s HTTP/%s\"", v.day("/"), v.IntN(24), v.IntN(60), v.IntN(60), pid, pid, v.n(9000000), what, v.one(v.ip(), v.ip6()), host, v.one("GET", "POST", "HEAD"), v.path(), v.one("1.1", "2.0"))
	if upstream {
		line += fmt.Sprintf(", upstream: \"http://%s:%d%s\"", v.ip(), v.port(), v.path())
	}
	line += fmt.Sprintf(", host: %q", host)
	return line + v.one("", fmt.Sprintf(", referrer: %q", v.url()))
}

// member is what the driver knows of one server of a replica set.
func (v *value) member() string {
	return fmt.Sprintf("{ Addr: %s:27017, Type: %s }", v.host(), v.one("Unknown, Last error: dial tcp "+v.ip()+":27017: i/o timeout", "RSSecondary, Average RTT: "+fmt.Sprint(v.n(90000000))))
}
