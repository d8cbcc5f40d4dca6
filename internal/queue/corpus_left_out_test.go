package queue_test

import "fmt"

// leftOut are the programs that nobody looked at while the rules of fetchq.error_pattern were made.
var leftOut = []program{
	{"kubernetes", []kind{
		{"back-off", func(v *value) string {
			return fmt.Sprintf("Back-off %s restarting failed container=worker pod=worker-%s-%s_shop(%s)", v.duration(), v.hex(9), v.letters("bcdfghjklmnpqrstvwxz2456789", 5), v.uuid())
		}},
		{"pull", func(v *value) string {
			return fmt.Sprintf("Failed to pull image \"%s/shop/worker:%s\": rpc error: code = NotFound desc = failed to resolve reference", v.host(), v.hex(7))
		}},
		{"evicted", func(v *value) string {
			return fmt.Sprintf("The node was low on resource: memory. Container worker was using %dKi, request is %dKi.", v.n(9000000), v.n(900000))
		}},
		{"conflict", func(v *value) string {
			return fmt.Sprintf("Operation cannot be fulfilled on jobs.batch \"crawl-%d\": the object has been modified; please apply your changes to the latest version and try again", v.n(90000))
		}},
		{"quota", func(v *value) string {
			return fmt.Sprintf("pods \"worker-%s\" is forbidden: exceeded quota: compute, requested: limits.cpu=%d, used: limits.cpu=%d, limited: limits.cpu=%d", v.hex(10), v.n(8), v.n(90), v.n(99))
		}},
	}},
	{"grpc", []kind{
		{"unavailable", func(v *value) string {
			return fmt.Sprintf("rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial tcp %s:%d: connect: no route to host\"", v.ip(), v.port())
		}},
		{"deadline", func(v *value) string {
			return "rpc error: code = DeadlineExceeded desc = context deadline exceeded"
		}},
		{"exhausted", func(v *value) string {
			return fmt.Sprintf("rpc error: code = ResourceExhausted desc = grpc: received message larger than max (%d vs. %d)", v.n(90000000), v.n(9000000))
		}},
		{"reset", func(v *value) string {
			return fmt.Sprintf("rpc error: code = Internal desc = stream terminated by RST_STREAM with error code: INTERNAL_ERROR (stream %d, peer [%s]:%d)", v.n(9000), v.ip6(), v.port())
		}},
	}},
	{"elixir", []kind{
		{"match", func(v *value) string {
			return fmt.Sprintf("** (MatchError) no match of right hand side value: {:error, :timeout}\n    (shop %d.%d.0) lib/shop/fetch.ex:%d: Shop.Fetch.run/2\n    (elixir 1.16.0) lib/task/supervised.ex:%d: Task.Supervised.invoke_mfa/2", v.n(3), v.n(20), v.n(90), v.n(90))
		}},
		{"genserver", func(v *value) string {
			return fmt.Sprintf("GenServer #PID<0.%d.%d> terminating: ** (stop) exited in: GenServer.call(Shop.Pool, :take, %d)", v.n(9000), v.n(9), v.n(9000))
		}},
		{"ecto", func(v *value) string {
			return fmt.Sprintf("** (DBConnection.ConnectionError) connection not available and request was dropped from queue after %dms", v.n(9000))
		}},
	}},
	{"sqlite and files", []kind{
		{"busy", func(v *value) string {
			return "database is locked (5) (SQLITE_BUSY)"
		}},
		{"corrupt", func(v *value) string {
			return fmt.Sprintf("database disk image is malformed: %s.db page %d", v.file(), v.n(90000))
		}},
		{"descriptor", func(v *value) string {
			return fmt.Sprintf("open %s: too many open files", v.file())
		}},
		{"gzip", func(v *value) string {
			return fmt.Sprintf("gzip: %s.gz: invalid compressed data--crc error (0x%s)", v.file(), v.hex(8))
		}},
		{"rsync", func(v *value) string {
			return fmt.Sprintf("rsync: [sender] change_dir %q failed: No such file or directory (2)\nrsync error: some files/attrs were not transferred (code 23) at main.c(%d) [sender=3.2.7]", v.file(), v.n(1900))
		}},
		{"ssh", func(v *value) string {
			return fmt.Sprintf("ssh: connect to host %s port %d: Connection timed out", v.host(), v.port())
		}},
	}},
	{"site parser", []kind{
		{"selector", func(v *value) string {
			return fmt.Sprintf("no price on %s: selector %q matched 0 nodes in %d bytes", v.url(), v.one(".price", "span[itemprop=price]", "#product .amount"), v.n(900000))
		}},
		{"robots", func(v *value) string {
			return fmt.Sprintf("%s is disallowed by robots.txt (user-agent fetchbot, rule %d)", v.url(), v.n(30))
		}},
		{"captcha", func(v *value) string {
			return fmt.Sprintf("captcha at %s after %d requests from %s", v.host(), v.n(900), v.ip())
		}},
		{"charset", func(v *value) string {
			return fmt.Sprintf("%s: invalid UTF-8 at byte %d", v.url(), v.n(90000))
		}},
		{"rate", func(v *value) string {
			return fmt.Sprintf("HTTP 429 Too Many Requests from %s, retry after %s", v.host(), v.duration())
		}},
		{"server", func(v *value) string {
			return fmt.Sprintf("HTTP 500 Internal Server Error from %s, request id %s", v.host(), v.uuid())
		}},
	}},
	{"payment and models", []kind{
		{"card", func(v *value) string {
			return fmt.Sprintf("Stripe::CardError: (Status 402) (Request req_%s) Your card was declined.", v.letters("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789", 14))
		}},
		{"amount", func(v *value) string {
			return fmt.Sprintf("invoice %s: amount %d.%02d %s differs from the order's %d.%02d", v.key(9), v.n(900), v.IntN(100), v.one("EUR", "EUR", "EUR"), v.n(900), v.IntN(100))
		}},
		{"tokens", func(v *value) string {
			return fmt.Sprintf("This model's maximum context length is %d tokens. However, your messages resulted in %d tokens.", v.n(200000), v.n(900000))
		}},
		{"cuda", func(v *value) string {
			return fmt.Sprintf("torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate %d.%02d MiB (GPU %d; %d.%02d GiB total capacity; %d.%02d GiB already allocated)", v.n(900), v.IntN(100), v.IntN(8), v.n(80), v.IntN(100), v.n(80), v.IntN(100))
		}},
		{"webhook", func(v *value) string {
			return fmt.Sprintf("webhook evt_%s signed at %s is too old: tolerance is %ds", v.letters("abcdefghijklmnopqrstuvwxyz0123456789", 24), v.time(), v.n(600))
		}},
	}},
}
