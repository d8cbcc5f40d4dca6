package queue_test

import (
	"fmt"
	"strings"
)

// name is what people call a thing of theirs: a bucket, a queue, a release.
func (v *value) name() string {
	return v.one("storefront", "price-crawler", "infra", "web_client", "billing2", "ml-models", "worker", "acme-prod-assets", "thumbs", "emails.retry", "redis", "web-01")
}

func (v *value) hcl() string {
	return v.one("main.tf", "network.tf", "modules/web/main.tf", ".terraform/modules/vpc/main.tf")
}

// terraform is an error of a resource, in its frame.
func (v *value) terraform(what, resource string) string {
	name, line := v.one("web", "db", "assets", "worker_pool"), v.n(300)
	return fmt.Sprintf("╷\n│ Error: %s\n│ \n│   with %s%s.%s,\n│   on %s line %d, in resource %q %q:\n│  %d: resource %q %q {\n│ \n╵", what, v.one("", "module.shop."), resource, name, v.hcl(), line, resource, name, line, resource, name)
}

func (v *value) distribution() string {
	return v.one("numpy", "scikit-learn", "acme_utils", "torch", "psycopg2", "Pillow", "zope.interface", "lxml")
}

func (v *value) semver() string { return fmt.Sprintf("%d.%d.%d", v.IntN(9), v.IntN(30), v.IntN(30)) }

func (v *value) requirement() string {
	return v.distribution() + v.one("", "=="+v.semver(), ">="+v.semver(), "<"+fmt.Sprint(v.n(9))+",>="+v.semver())
}

func (v *value) versions() string {
	of := make([]string, v.n(30))
	for i := range of {
		of[i] = v.semver() + v.one("", "", "rc1", ".post1")
	}
	return strings.Join(of, ", ")
}

// amqp is what a client says when the broker closes a channel.
func (v *value) amqp(what string, code int, text string, class, method int) string {
	return fmt.Sprintf("%s error; protocol method: #method<%s.close>(reply-code=%d, reply-text=%s, class-id=%d, method-id=%d)", what, what, code, text, class, method)
}

// amqpClosed is the first line of what the broker says of a connection.
func (v *value) amqpClosed() string {
	pid := fmt.Sprintf("<0.%d.%d>", v.n(90000), v.IntN(3))
	return fmt.Sprintf("%s %02d:%02d:%02d.%06d+00:00 [error] %s closing AMQP connection %s (%s:%d -> %s:5672%s):\n", v.day("-"), v.IntN(24), v.IntN(60), v.IntN(60), v.IntN(1000000), pid, pid, v.ip(), v.port(), v.ip(),
		v.one("", "", " - "+v.name(), fmt.Sprintf(", vhost: '/', user: '%s'", v.account())))
}

func (v *value) backend() string {
	return v.one("be_shop", "api-backend", "static", "shop", "web_8443")
}

func (v *value) haproxy(reason string) string {
	return fmt.Sprintf("[WARNING]  (%d) : Server %s/%s is DOWN, reason: %s, check duration: %dms. %d active and %d backup servers left. %d sessions active, %d requeued, %d remaining in queue.",
		v.n(90000), v.backend(), v.one("web1", "srv_a", "node-2", "blue", "SRV_2"), reason, v.n(10000), v.IntN(9), v.IntN(3), v.IntN(90), v.IntN(9), v.IntN(9))
}

// requests is an error of requests as a worker prints it.
func (v *value) requests(what string) string {
	return v.traceback() + fmt.Sprintf("  File \"%s/fetch.py\", line %d, in get\n    r = session.get(url, timeout=limit)\n  File \"%s/venv/lib/python3.12/site-packages/requests/adapters.py\", line %d, in send\n    raise\nrequests.exceptions.%s", v.file(), v.n(99), v.file(), v.n(700), what)
}

func (v *value) crate() string {
	return v.one("serde", "tokio-util", "openssl-sys", "shop_core", "reqwest", "ring")
}

// rustc is an error of the compiler, with the lines that it points at.
func (v *value) rustc(code, what string) string {
	line := v.n(400)
	return fmt.Sprintf("error[%s]: %s\n  --> %s:%d:%d\n   |\n%d |     let %s = fetch(&%s)?;\n   |         ^^^^^ here", code, what, v.one("src/main.rs", "src/page.rs", "crates/feed/src/lib.rs"), line, v.n(80), line, v.column(), v.column())
}

func (v *value) npmName() string {
	return v.one("react", "webpack", "@acme/ui-kit", "left-pad", "eslint-plugin-jsdoc", "@types/node", "d3")
}

// npm is what it prints, each line behind its sign.
func (v *value) npm(lines ...string) string {
	return "npm error " + strings.Join(lines, "\nnpm error ")
}

func (v *value) utc() string {
	return fmt.Sprintf("%s %02d:%02d:%02d UTC", v.day("-"), v.IntN(24), v.IntN(60), v.IntN(60))
}

func (v *value) schema() string { return v.one("default", "shop", "crawl", "analytics") }

func (v *value) table() string {
	return v.one("pages", "orders", "price_history", "events_local", "users2", "Sessions")
}

func (v *value) column() string {
	return v.one("url", "price", "created_at", "order_id", "title", "x1")
}

func (v *value) clickhouse(code int, what, name string) string {
	return fmt.Sprintf("Code: %d. DB::Exception: %s (%s) (version 24.%d.%d.%d (official build))", code, what, name, v.n(12), v.n(9), v.n(90))
}

func (v *value) consistency() string { return v.one("LOCAL_QUORUM", "QUORUM", "ONE", "LOCAL_ONE") }

// hostsTried is what the driver says when no host answered it: of each host why.
func (v *value) hostsTried(why func(at string) string) string {
	tried := make([]string, v.n(3))
	for i := range tried {
		at := fmt.Sprintf("%s/%s:9042", v.one("", v.host()), v.ip())
		tried[i] = at + " (" + why(at) + ")"
	}
	return "com.datastax.driver.core.exceptions.NoHostAvailableException: All host(s) tried for query failed (tried: " + strings.Join(tried, ", ") + ")"
}

// grpc is an error of a call by the client of Java.
func (v *value) grpc(status string) string {
	return fmt.Sprintf("io.grpc.StatusRuntimeException: %s\n\tat io.grpc.stub.ClientCalls.toStatusRuntimeException(ClientCalls.java:%d)\n\tat io.grpc.stub.ClientCalls.blockingUnaryCall(ClientCalls.java:%d)\n\tat com.acme.price.PriceClient.fetch(PriceClient.java:%d)\n", status, v.n(400), v.n(400), v.n(200)) + v.javaTail()
}

func (v *value) inventory() string {
	return v.one("web-1", "db-master", "localhost", "cache", v.host(), v.ip())
}
