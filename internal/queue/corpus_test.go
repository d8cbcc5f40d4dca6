package queue_test

import (
	"fmt"
	"strings"
)

// known are the programs by which the rules of fetchq.error_pattern were made.
var known = []program{
	{"http", []kind{
		{"refused", func(v *value) string {
			return fmt.Sprintf("Get %q: dial tcp %s:%d: connect: connection refused", v.url(), v.ip(), v.port())
		}},
		{"deadline", func(v *value) string {
			return fmt.Sprintf("Get %q: context deadline exceeded (Client.Timeout exceeded while awaiting headers)", v.url())
		}},
		{"eof", func(v *value) string {
			return fmt.Sprintf("Post %q: EOF", v.url())
		}},
		{"status 404", func(v *value) string {
			return fmt.Sprintf("GET %s: unexpected status 404 after %s", v.url(), v.duration())
		}},
		{"status 502", func(v *value) string {
			return fmt.Sprintf("GET %s: unexpected status 502 after %s", v.url(), v.duration())
		}},
		{"too many redirects", func(v *value) string {
			return fmt.Sprintf("stopped after %d redirects at %s (last: HTTP 302)", v.n(30), v.url())
		}},
		{"curl", func(v *value) string {
			return fmt.Sprintf("curl: (28) Operation timed out after %d milliseconds with %d out of %d bytes received", v.n(90000), v.n(9000), v.n(90000))
		}},
		{"too large", func(v *value) string {
			return fmt.Sprintf("response of %s has %d bytes, more than the %d that are allowed", v.url(), v.n(1000000000), v.n(1000000))
		}},
	}},
	{"json", []kind{
		{"character", func(v *value) string {
			return fmt.Sprintf("invalid character '%s' looking for beginning of value", v.letters("<xN/]", 1))
		}},
		{"end", func(v *value) string { return "unexpected end of JSON input" }},
		{"type", func(v *value) string {
			return fmt.Sprintf("json: cannot unmarshal string into Go struct field Order.%s of type int64", v.one("id", "items.count", "total"))
		}},
		{"python", func(v *value) string {
			return fmt.Sprintf("json.decoder.JSONDecodeError: Expecting value: line %d column %d (char %d)", v.n(90), v.n(90), v.n(9000))
		}},
		{"delimiter", func(v *value) string {
			return fmt.Sprintf("json.decoder.JSONDecodeError: Expecting ',' delimiter: line %d column %d (char %d)", v.n(90), v.n(90), v.n(9000))
		}},
		{"schema", func(v *value) string {
			return fmt.Sprintf("payload {\"id\": %d, \"name\": %q} does not match the schema %s: /items/%d/price is missing", v.n(9000), v.word(), v.uuid(), v.n(30))
		}},
	}},
	{"postgres", []kind{
		{"duplicate", func(v *value) string {
			return fmt.Sprintf("ERROR: duplicate key value violates unique constraint \"users_email_key\" (SQLSTATE 23505)\nDETAIL:  Key (email)=(%s@%s) already exists.", v.word(), v.host())
		}},
		{"deadlock", func(v *value) string {
			return fmt.Sprintf("ERROR: deadlock detected (SQLSTATE 40P01)\nDETAIL:  Process %d waits for ShareLock on transaction %d; blocked by process %d.\nProcess %d waits for ShareLock on transaction %d; blocked by process %d.",
				v.n(90000), v.n(9000000), v.n(90000), v.n(90000), v.n(9000000), v.n(90000))
		}},
		{"foreign key", func(v *value) string {
			return fmt.Sprintf("ERROR: insert or update on table \"items\" violates foreign key constraint \"items_order_fkey\" (SQLSTATE 23503)\nDETAIL:  Key (order_id)=(%d) is not present in table \"orders\".", v.n(9000000))
		}},
		{"timeout", func(v *value) string {
			return "ERROR: canceling statement due to statement timeout (SQLSTATE 57014)"
		}},
		{"lock", func(v *value) string {
			return fmt.Sprintf("ERROR: canceling statement due to lock timeout (SQLSTATE 55P03)\nCONTEXT:  while updating tuple (%d,%d) in relation \"orders\"", v.n(90000), v.n(100))
		}},
		{"connect", func(v *value) string {
			return fmt.Sprintf("failed to connect to `user=app database=shop`: %s:%d (%s): server error: FATAL: sorry, too many clients already (SQLSTATE 53300)", v.ip(), v.port(), v.host())
		}},
		{"syntax", func(v *value) string {
			return fmt.Sprintf("ERROR: invalid input syntax for type integer: %q (SQLSTATE 22P02)", v.one(v.word(), v.hex(8), "12a"))
		}},
	}},
	{"python", []kind{
		{"connection", func(v *value) string {
			return v.traceback() + fmt.Sprintf("  File \"%s/venv/lib/python3.12/site-packages/requests/adapters.py\", line %d, in send\n    raise ConnectionError(e, request=request)\n"+
				"requests.exceptions.ConnectionError: HTTPSConnectionPool(host='%s', port=443): Max retries exceeded with url: %s (Caused by NewConnectionError('<urllib3.connection.HTTPSConnection object at 0x%s>: Failed to establish a new connection: [Errno 111] Connection refused'))",
				v.file(), v.n(700), v.host(), v.path(), v.hex(12))
		}},
		{"key", func(v *value) string {
			return v.traceback() + fmt.Sprintf("  File \"%s/parse.py\", line %d, in price\n    return row[name]\n           ~~~^^^^^^\nKeyError: '%s'", v.file(), v.n(99), v.word())
		}},
		{"key elsewhere", func(v *value) string {
			return v.traceback() + fmt.Sprintf("  File \"%s/index.py\", line %d, in lookup\n    return table[k]\nKeyError: '%s'", v.file(), v.n(99), v.word())
		}},
		{"attribute", func(v *value) string {
			return v.traceback() + fmt.Sprintf("  File \"%s/page.py\", line %d, in title\n    return soup.h1.text\nAttributeError: 'NoneType' object has no attribute 'text'", v.file(), v.n(99))
		}},
		{"unicode", func(v *value) string {
			return v.traceback() + fmt.Sprintf("  File \"%s/read.py\", line %d, in text\n    return raw.decode()\nUnicodeDecodeError: 'utf-8' codec can't decode byte 0x%s in position %d: invalid start byte", v.file(), v.n(99), v.hex(2), v.n(9000))
		}},
		{"memory", func(v *value) string {
			return fmt.Sprintf("numpy.core._exceptions.MemoryError: Unable to allocate %d.%d GiB for an array with shape (%d, %d) and data type float64", v.n(90), v.n(9), v.n(900000), v.n(9000))
		}},
	}},
	{"node", []kind{
		{"undefined", func(v *value) string {
			return fmt.Sprintf("TypeError: Cannot read properties of undefined (reading '%s')\n    at parsePage (%s/src/page.js:%d:%d)\n    at Crawler.visit (%s/src/crawler.js:%d:%d)\n",
				v.one("map", "length", "href"), v.file(), v.n(300), v.n(80), v.file(), v.n(300), v.n(80)) + v.nodeTail()
		}},
		{"undefined elsewhere", func(v *value) string {
			return fmt.Sprintf("TypeError: Cannot read properties of undefined (reading 'id')\n    at Basket.add (%s/src/basket.js:%d:%d)\n    at checkout (%s/src/shop.js:%d:%d)\n",
				v.file(), v.n(300), v.n(80), v.file(), v.n(300), v.n(80)) + v.nodeTail()
		}},
		{"refused", func(v *value) string {
			return fmt.Sprintf("Error: connect ECONNREFUSED %s:%d\n    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:%d:%d)\n", v.ip(), v.port(), v.n(1600), v.n(40))
		}},
		{"not found", func(v *value) string {
			return fmt.Sprintf("Error: ENOENT: no such file or directory, open '%s'\n    at async open (node:internal/fs/promises:%d:%d)\n    at async load (%s/load.js:%d:%d)\n", v.file(), v.n(900), v.n(40), v.file(), v.n(99), v.n(40)) + v.nodeTail()
		}},
		{"axios", func(v *value) string {
			return fmt.Sprintf("AxiosError: timeout of %dms exceeded\n    at RedirectableRequest.handleRequestTimeout (%s/node_modules/axios/dist/node/axios.cjs:%d:%d)\n", v.n(90000), v.file(), v.n(4000), v.n(40)) + v.nodeTail()
		}},
		{"heap", func(v *value) string {
			return fmt.Sprintf("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n 1: 0x%s node::Abort() [node]\n 2: 0x%s  [node]", v.hex(6), v.hex(6))
		}},
	}},
	{"shell", []kind{
		{"permission", func(v *value) string {
			return fmt.Sprintf("%s/run.sh: line %d: %s: Permission denied", v.file(), v.n(90), v.file())
		}},
		{"command", func(v *value) string {
			return fmt.Sprintf("%s/run.sh: line %d: jq: command not found", v.file(), v.n(90))
		}},
		{"space", func(v *value) string {
			return fmt.Sprintf("cp: error writing '%s': No space left on device", v.file())
		}},
		{"killed", func(v *value) string {
			return fmt.Sprintf("%s/run.sh: line %d: %d Killed                  convert \"$in\" \"$out\"", v.file(), v.n(90), v.n(90000))
		}},
		{"exit", func(v *value) string {
			return fmt.Sprintf("exit status 137 after %s: convert %s.png %s.webp", v.duration(), v.file(), v.file())
		}},
		{"tar", func(v *value) string {
			return fmt.Sprintf("tar: %s: Cannot open: No such file or directory\ntar: Exiting with failure status due to previous errors", v.file())
		}},
	}},
}

func (v *value) traceback() string {
	return "Traceback (most recent call last):\n" + v.tail(
		fmt.Sprintf("  File \"%s/worker.py\", line %d, in main\n    run(queue)\n", v.file(), v.n(300)),
		fmt.Sprintf("  File \"%s/loop.py\", line %d, in run\n    handle(doc)\n", v.file(), v.n(300)),
		fmt.Sprintf("  File \"/usr/lib/python3.12/asyncio/base_events.py\", line %d, in run_until_complete\n    return future.result()\n", v.n(700))) +
		strings.Repeat(fmt.Sprintf("  File \"%s/job.py\", line %d, in handle\n    self.step(doc)\n", v.file(), v.n(300)), 2)
}

func (v *value) nodeTail() string {
	return v.tail(fmt.Sprintf("    at process.processTicksAndRejections (node:internal/process/task_queues:%d:%d)\n", v.n(200), v.n(40)),
		fmt.Sprintf("    at async Promise.all (index %d)\n", v.n(30)), fmt.Sprintf("    at async %s/src/main.js:%d:%d\n", v.file(), v.n(300), v.n(40)))
}
