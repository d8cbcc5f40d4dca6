package queue_test

import "fmt"

// second are programs that were left out while the first rules were made, which had a recall of 0.86 on them; later ones were made by them too.
var second = []program{
	{"java", []kind{
		{"refused", func(v *value) string {
			return fmt.Sprintf("java.net.ConnectException: Connection refused: %s:%d\n\tat java.base/sun.nio.ch.Net.pollConnect(Native Method)\n"+
				"\tat java.base/sun.nio.ch.NioSocketImpl.connect(NioSocketImpl.java:%d)\n\tat com.acme.crawl.Fetcher.open(Fetcher.java:%d)\n", v.host(), v.port(), v.n(600), v.n(300)) + v.javaTail()
		}},
		{"null", func(v *value) string {
			return fmt.Sprintf("java.lang.NullPointerException: Cannot invoke \"com.acme.Order.getId()\" because \"%s\" is null\n"+
				"\tat com.acme.shop.Basket.total(Basket.java:%d)\n\tat com.acme.shop.Checkout.run(Checkout.java:%d)\n", v.one("order", "this.order", "<local4>"), v.n(200), v.n(400)) + v.javaTail()
		}},
		{"null elsewhere", func(v *value) string {
			return fmt.Sprintf("java.lang.NullPointerException: Cannot invoke \"java.util.List.size()\" because \"%s\" is null\n"+
				"\tat com.acme.index.Writer.flush(Writer.java:%d)\n\tat com.acme.index.Batch.close(Batch.java:%d)\n", v.one("rows", "this.rows"), v.n(200), v.n(400)) + v.javaTail()
		}},
		{"caused", func(v *value) string {
			return fmt.Sprintf("org.springframework.dao.DataIntegrityViolationException: could not execute statement; constraint [%s_key]\n"+
				"\tat org.springframework.orm.jpa.Translator.convert(Translator.java:%d)\n%sCaused by: org.postgresql.util.PSQLException: "+
				"ERROR: duplicate key value violates unique constraint \"%s_key\"\n\tat org.postgresql.core.v3.QueryExecutorImpl.receive(QueryExecutorImpl.java:%d)\n\t... %d more",
				v.one("orders", "users"), v.n(400), v.javaTail(), v.word(), v.n(2500), v.n(60))
		}},
		{"memory", func(v *value) string {
			return fmt.Sprintf("java.lang.OutOfMemoryError: Java heap space: failed reallocation of %d bytes\n\tat java.base/java.util.Arrays.copyOf(Arrays.java:%d)\n", v.n(90000000), v.n(3000)) + v.javaTail()
		}},
		{"number", func(v *value) string {
			return fmt.Sprintf("java.lang.NumberFormatException: For input string: %q\n\tat java.base/java.lang.Integer.parseInt(Integer.java:%d)\n\tat com.acme.feed.Row.price(Row.java:%d)\n",
				v.one(v.word(), v.hex(6), "12,50", ""), v.n(700), v.n(90)) + v.javaTail()
		}},
	}},
	{"go panics", []kind{
		{"index", func(v *value) string {
			return fmt.Sprintf("panic: runtime error: index out of range [%d] with length %d\n\ngoroutine %d [running]:\nmain.(*Parser).next(0xc000%s, {0xc000%s, 0x%s})\n\t%s/parser.go:%d +0x%s\nmain.(*Parser).Parse(...)\n\t%s/parser.go:%d\n",
				v.n(60), v.n(50), v.n(9000), v.hex(6), v.hex(6), v.hex(2), v.file(), v.n(300), v.hex(3), v.file(), v.n(300)) + v.goTail()
		}},
		{"nil", func(v *value) string {
			return fmt.Sprintf("panic: runtime error: invalid memory address or nil pointer dereference\n[signal SIGSEGV: segmentation violation code=0x1 addr=0x%s pc=0x%s]\n\ngoroutine %d [running]:\nmain.(*Store).Save(0x0, 0xc000%s)\n\t%s/store.go:%d +0x%s\n",
				v.hex(2), v.hex(6), v.n(9000), v.hex(6), v.file(), v.n(200), v.hex(2)) + v.goTail()
		}},
		{"map", func(v *value) string {
			return fmt.Sprintf("fatal error: concurrent map writes\n\ngoroutine %d [running]:\nmain.(*Cache).put(0xc000%s)\n\t%s/cache.go:%d +0x%s\n", v.n(9000), v.hex(6), v.file(), v.n(90), v.hex(2)) + v.goTail()
		}},
		{"assertion", func(v *value) string {
			return fmt.Sprintf("panic: interface conversion: interface {} is %s, not string [recovered]\n\ngoroutine %d [running]:\nmain.text(0x%s)\n\t%s/json.go:%d +0x%s\n",
				v.one("nil", "float64", "bool"), v.n(9000), v.hex(6), v.file(), v.n(90), v.hex(2)) + v.goTail()
		}},
		{"deadlock", func(v *value) string {
			return fmt.Sprintf("fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive, %d minutes]:\nmain.wait(0xc000%s)\n\t%s/main.go:%d +0x%s\n", v.n(90), v.hex(6), v.file(), v.n(90), v.hex(2))
		}},
	}},
	{"dns", []kind{
		{"no such host", func(v *value) string {
			return fmt.Sprintf("lookup %s on %s:53: no such host", v.host(), v.ip())
		}},
		{"timeout", func(v *value) string {
			return fmt.Sprintf("lookup %s on %s:53: read udp %s:%d->%s:53: i/o timeout", v.host(), v.ip(), v.ip(), v.port(), v.ip())
		}},
		{"servfail", func(v *value) string {
			return fmt.Sprintf("DNS query for %s (%s) failed: SERVFAIL from %s after %d ms", v.host(), v.one("A", "AAAA"), v.one(v.ip(), v.ip6()), v.n(900))
		}},
		{"nxdomain", func(v *value) string {
			return fmt.Sprintf("%s: NXDOMAIN (soa ns%d.%s, ttl %d)", v.host(), v.n(4), v.host(), v.n(86400))
		}},
		{"getaddrinfo", func(v *value) string {
			return fmt.Sprintf("getaddrinfo EAI_AGAIN %s", v.host())
		}},
		{"glibc", func(v *value) string {
			return fmt.Sprintf("could not resolve %s: Name or service not known", v.host())
		}},
	}},
	{"tls", []kind{
		{"expired", func(v *value) string {
			return fmt.Sprintf("tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time %s is after %s", v.time(), v.time())
		}},
		{"name", func(v *value) string {
			return fmt.Sprintf("tls: failed to verify certificate: x509: certificate is valid for %s, %s, not %s", v.host(), v.host(), v.host())
		}},
		{"authority", func(v *value) string {
			return fmt.Sprintf("Get %q: tls: failed to verify certificate: x509: certificate signed by unknown authority", v.url())
		}},
		{"alert", func(v *value) string {
			return fmt.Sprintf("140%s:error:14094410:SSL routines:ssl3_read_bytes:sslv3 alert handshake failure:ssl/record/rec_layer_s3.c:%d:SSL alert number 40", v.letters("0123456789", 12), v.n(2000))
		}},
		{"protocol", func(v *value) string {
			return fmt.Sprintf("remote error from %s:%d: tls: protocol version not supported", v.ip(), v.port())
		}},
		{"reset", func(v *value) string {
			return fmt.Sprintf("TLS handshake with %s (serial %s) broke off after %s: connection reset by peer", v.host(), v.hex(32), v.duration())
		}},
	}},
	{"object store", []kind{
		{"no key", func(v *value) string {
			return fmt.Sprintf("operation error S3: GetObject, https response error StatusCode: 404, RequestID: %s, HostID: %s+%s/%s=, NoSuchKey: The specified key does not exist.", v.key(16), v.key(30), v.key(20), v.key(25))
		}},
		{"slow down", func(v *value) string {
			return fmt.Sprintf("operation error S3: PutObject, https response error StatusCode: 503, RequestID: %s, HostID: %s/%s=, api error SlowDown: Please reduce your request rate.", v.key(16), v.key(36), v.key(38))
		}},
		{"denied", func(v *value) string {
			return fmt.Sprintf("operation error S3: PutObject, https response error StatusCode: 403, RequestID: %s, HostID: %s=, api error AccessDenied: User: arn:aws:iam::%d:user/%s is not authorized to perform: s3:PutObject on resource: \"arn:aws:s3:::%s%s\"",
				v.key(16), v.key(60), 100000000000+v.Int64N(899999999999), v.word(), v.word(), v.path())
		}},
		{"clock", func(v *value) string {
			return fmt.Sprintf("RequestTimeTooSkewed: The difference between the request time (%s) and the current time (%s) is too large. status code: 403, request id: %s", v.time(), v.time(), v.key(16))
		}},
		{"multipart", func(v *value) string {
			return fmt.Sprintf("upload multipart failed, upload id: %s, part %d of %d: exceeded maximum number of attempts, 3", v.key(64), v.n(90), v.n(99))
		}},
	}},
	{"ruby", []kind{
		{"no method", func(v *value) string {
			return fmt.Sprintf("%s/app/models/invoice.rb:%d:in `total': undefined method `round' for nil:NilClass (NoMethodError)\n\tfrom %s/app/jobs/bill.rb:%d:in `perform'\n", v.file(), v.n(99), v.file(), v.n(99))
		}},
		{"record", func(v *value) string {
			return fmt.Sprintf("ActiveRecord::RecordNotFound: Couldn't find %s with 'id'=%d", v.one("Order", "Order"), v.n(900000))
		}},
		{"redis", func(v *value) string {
			return fmt.Sprintf("Redis::CannotConnectError: Error connecting to Redis on %s:%d (Errno::ECONNREFUSED)", v.ip(), v.port())
		}},
		{"timeout", func(v *value) string {
			return fmt.Sprintf("Net::ReadTimeout: Net::ReadTimeout with #<TCPSocket:(closed 0x%s)> after %d seconds", v.hex(16), v.n(90))
		}},
		{"encoding", func(v *value) string {
			return fmt.Sprintf("Encoding::UndefinedConversionError: U+%s from UTF-8 to ISO-8859-1 in row %d of %s.csv", v.letters("0123456789ABCDEF", 4), v.n(90000), v.word())
		}},
	}},
}

func (v *value) javaTail() string {
	return v.tail(fmt.Sprintf("\tat com.acme.work.Loop.step(Loop.java:%d)\n", v.n(300)), fmt.Sprintf("\tat java.base/java.lang.Thread.run(Thread.java:%d)\n", v.n(1600)),
		fmt.Sprintf("\tat java.base/java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:%d)\n", v.n(1200)),
		fmt.Sprintf("\tat jdk.internal.reflect.GeneratedMethodAccessor%d.invoke(Unknown Source)\n", v.n(400)))
}

func (v *value) goTail() string {
	return v.tail(fmt.Sprintf("main.work(0xc000%s)\n\t%s/work.go:%d +0x%s\n", v.hex(6), v.file(), v.n(200), v.hex(2)),
		fmt.Sprintf("created by main.main in goroutine 1\n\t%s/main.go:%d +0x%s\n", v.file(), v.n(90), v.hex(3)))
}
