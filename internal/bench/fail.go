package bench

import "fmt"

// failure is what a worker says of the nth document when it fails: one of eight kinds of errors, of 90 to 170 letters, in which the
// addresses and numbers differ.
func failure(n int64) string {
	host := fmt.Sprintf("img-%d.shop.example", n%97)
	switch n / 5 % 8 {
	case 0:
		return fmt.Sprintf("Get \"https://%s/items/%d?page=%d\": dial tcp 10.0.%d.%d:443: connect: connection refused", host, n, n%40, n%251, n%241)
	case 1:
		return fmt.Sprintf("Get \"https://%s/items/%d\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)", host, n)
	case 2:
		return fmt.Sprintf("GET https://%s/feeds/%x/page: unexpected status 502 after %dms: request id %08x-%04x-4000-a000-%012x", host, n, n%9000, n, n%65536, n)
	case 3:
		return fmt.Sprintf("json: cannot unmarshal string into Go struct field Order.items of type int64, at byte %d of https://%s/orders/%d", n%90000, host, n)
	case 4:
		return fmt.Sprintf("ERROR: duplicate key value violates unique constraint \"pages_url_key\" (SQLSTATE 23505)\nDETAIL:  Key (url)=(https://%s/%d) already exists.", host, n)
	case 5:
		return fmt.Sprintf("Traceback (most recent call last):\n  File \"/srv/app/worker.py\", line %d, in main\n    run(queue)\n  File \"/srv/app/parse.py\", line %d, in price\n    return row[name]\nKeyError: 'price_%d'", n%300, n%90, n%7)
	case 6:
		return fmt.Sprintf("TypeError: Cannot read properties of undefined (reading 'href')\n    at parsePage (/srv/app/src/page.js:%d:%d)\n    at Crawler.visit (/srv/app/src/crawler.js:%d:%d)", n%300, n%80, n%200, n%60)
	default:
		return fmt.Sprintf("tls: failed to verify certificate: x509: certificate is valid for www.%s, not %s (serial %x)", host, host, n*7919)
	}
}
