package queue_test

import "fmt"

// third are programs that were left out while the second rules were made, which had a recall of 0.94 on them.
var third = []program{
	{"php", []kind{
		{"undefined key", func(v *value) string {
			return fmt.Sprintf("PHP Warning:  Undefined array key %q in %s/src/Feed.php on line %d", v.word(), v.file(), v.n(400))
		}},
		{"type", func(v *value) string {
			return fmt.Sprintf("PHP Fatal error:  Uncaught TypeError: strlen(): Argument #1 ($string) must be of type string, array given in %s/src/Text.php:%d\nStack trace:\n#0 %s/src/Page.php(%d): strlen(Array)\n#1 %s/run.php(%d): Page->title()\n#2 {main}\n  thrown in %s/src/Text.php on line %d",
				v.file(), v.n(99), v.file(), v.n(99), v.file(), v.n(99), v.file(), v.n(99))
		}},
		{"memory", func(v *value) string {
			return fmt.Sprintf("PHP Fatal error:  Allowed memory size of %d bytes exhausted (tried to allocate %d bytes) in %s/src/Image.php on line %d", v.n(900000000), v.n(90000000), v.file(), v.n(99))
		}},
		{"pdo", func(v *value) string {
			return fmt.Sprintf("SQLSTATE[HY000] [2002] Connection refused (Connection: mysql, Host: %s, Port: 3306, SQL: select * from jobs where id = %d limit 1)", v.ip(), v.n(900000))
		}},
	}},
	{"dotnet", []kind{
		{"null", func(v *value) string {
			return fmt.Sprintf("System.NullReferenceException: Object reference not set to an instance of an object.\n   at Shop.Basket.Total(Order order) in %s/Basket.cs:line %d\n   at Shop.Program.Main(String[] args) in %s/Program.cs:line %d", v.file(), v.n(99), v.file(), v.n(99))
		}},
		{"socket", func(v *value) string {
			return fmt.Sprintf("System.Net.Http.HttpRequestException: No connection could be made because the target machine actively refused it. (%s:%d)\n ---> System.Net.Sockets.SocketException (10061): refused\n   at System.Net.Http.HttpConnectionPool.ConnectAsync(HttpRequestMessage request)\n   at Shop.Client.Get(Uri uri) in %s/Client.cs:line %d",
				v.host(), v.port(), v.file(), v.n(200))
		}},
		{"canceled", func(v *value) string {
			return fmt.Sprintf("System.Threading.Tasks.TaskCanceledException: The request was canceled due to the configured HttpClient.Timeout of %d seconds elapsing.", v.n(100))
		}},
		{"format", func(v *value) string {
			return fmt.Sprintf("System.FormatException: The input string '%s' was not in a correct format.\n   at Shop.Row.Price(String text) in %s/Row.cs:line %d", v.one(v.word(), v.hex(5), "12,5"), v.file(), v.n(200))
		}},
	}},
	{"rust", []kind{
		{"unwrap", func(v *value) string {
			return fmt.Sprintf("thread 'worker-%d' panicked at src/parse.rs:%d:%d:\ncalled `Option::unwrap()` on a `None` value\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace", v.n(64), v.n(400), v.n(80))
		}},
		{"bounds", func(v *value) string {
			return fmt.Sprintf("thread 'tokio-runtime-worker' panicked at src/page.rs:%d:%d:\nindex out of bounds: the len is %d but the index is %d", v.n(400), v.n(80), v.n(50), v.n(90))
		}},
		{"reqwest", func(v *value) string {
			return fmt.Sprintf("error sending request for url (%s): operation timed out", v.url())
		}},
		{"serde", func(v *value) string {
			return fmt.Sprintf("missing field `price` at line %d column %d", v.n(90), v.n(2000))
		}},
		{"io", func(v *value) string {
			return fmt.Sprintf("Os { code: 24, kind: Uncategorized, message: \"Too many open files\" } while opening %s", v.file())
		}},
	}},
	{"mysql", []kind{
		{"duplicate", func(v *value) string {
			return fmt.Sprintf("Error 1062 (23000): Duplicate entry '%s-%d' for key 'orders.PRIMARY'", v.word(), v.n(90000))
		}},
		{"lock", func(v *value) string {
			return "Error 1205 (HY000): Lock wait timeout exceeded; try restarting transaction"
		}},
		{"gone", func(v *value) string {
			return fmt.Sprintf("[mysql] %d/11/30 %02d:%02d:%02d packets.go:%d: unexpected EOF", 2026, v.IntN(24), v.IntN(60), v.IntN(60), v.n(300))
		}},
		{"access", func(v *value) string {
			return fmt.Sprintf("Error 1045 (28000): Access denied for user '%s'@'%s' (using password: YES)", v.word(), v.ip())
		}},
		{"truncated", func(v *value) string {
			return fmt.Sprintf("Error 1406 (22001): Data too long for column 'title' at row %d", v.n(500))
		}},
	}},
	{"broker", []kind{
		{"leader", func(v *value) string {
			return fmt.Sprintf("kafka: broker %d (%s:9092): partition %d of topic %s has no leader", v.n(30), v.host(), v.n(90), "events")
		}},
		{"too large", func(v *value) string {
			return fmt.Sprintf("Message size too large: record of %d bytes exceeds max.message.bytes %d [correlation %s]", v.n(9000000), v.n(1000000), v.uuid())
		}},
		{"redis moved", func(v *value) string {
			return fmt.Sprintf("MOVED %d %s:%d", v.n(16383), v.ip(), v.port())
		}},
		{"redis loading", func(v *value) string {
			return "LOADING Redis is loading the dataset in memory"
		}},
		{"amqp", func(v *value) string {
			return fmt.Sprintf("Exception (504) Reason: \"channel/connection is not open\", delivery tag %d on %s", v.n(90000), v.uuid())
		}},
	}},
	{"browser", []kind{
		{"navigation", func(v *value) string {
			return fmt.Sprintf("page.goto: net::ERR_CONNECTION_RESET at %s\nCall log:\n  - navigating to %q, waiting until \"load\"", v.url(), v.url())
		}},
		{"timeout", func(v *value) string {
			return fmt.Sprintf("TimeoutError: locator.click: Timeout %dms exceeded.\nCall log:\n  - waiting for locator('%s')\n\n    at Shop.buy (%s/shop.ts:%d:%d)", v.n(60000), v.one("#buy", ".cart > button", "text=Pay"), v.file(), v.n(99), v.n(40))
		}},
		{"crash", func(v *value) string {
			return fmt.Sprintf("Target page, context or browser has been closed (pid %d, session %s)", v.n(90000), v.hex(32))
		}},
		{"script", func(v *value) string {
			return fmt.Sprintf("Uncaught ReferenceError: gtag is not defined at %s:%d:%d", v.url(), v.n(9), v.n(90000))
		}},
	}},
	{"media and mail", []kind{
		{"ffmpeg", func(v *value) string {
			return fmt.Sprintf("[mov,mp4,m4a @ 0x%s] moov atom not found\n%s.mp4: Invalid data found when processing input", v.hex(12), v.file())
		}},
		{"magick", func(v *value) string {
			return fmt.Sprintf("convert-im6.q16: no decode delegate for this image format `%s' @ error/constitute.c/ReadImage/%d.", v.word(), v.n(900))
		}},
		{"smtp", func(v *value) string {
			return fmt.Sprintf("550 5.1.1 <%s@%s>: Recipient address rejected: User unknown in virtual mailbox table", v.word(), v.host())
		}},
		{"greylisted", func(v *value) string {
			return fmt.Sprintf("451 4.7.1 Greylisting in action, please come back in %02d:%02d:%02d (id %s)", v.IntN(2), v.IntN(60), v.IntN(60), v.key(11))
		}},
		{"pdf", func(v *value) string {
			return fmt.Sprintf("Syntax Error (%d): Illegal character <%s> in hex string", v.n(900000), v.hex(2))
		}},
	}},
}
