package queue_test

import (
	"fmt"
	"strings"
)

// sixth are seven programs that were put away with those of fifth, and that nobody looked at while the rules were mended.
var sixth = []program{
	{"cargo", []kind{
		{"types", func(v *value) string {
			return v.rustc("E0308", "mismatched types")
		}},
		{"moved", func(v *value) string {
			return v.rustc("E0382", fmt.Sprintf("borrow of moved value: %#q", v.one("page", "rows", "self.client", "token")))
		}},
		{"undeclared", func(v *value) string {
			return v.rustc("E0433", fmt.Sprintf("failed to resolve: use of undeclared crate or module %#q", v.crate()))
		}},
		{"select", func(v *value) string {
			return fmt.Sprintf("error: failed to select a version for %#q.\n    ... required by package `%s v%d.%d.%d (%s)`\nversions that meet the requirements `^%d.%d` are: %d.%d.%d", v.crate(), v.name(), v.IntN(3), v.n(9), v.n(9), v.file(), v.n(3), v.n(30), v.n(3), v.n(30), v.n(9))
		}},
		{"dependency", func(v *value) string {
			c := v.crate()
			return fmt.Sprintf("error: failed to get %#q as a dependency of package `%s v%d.%d.%d (%s)`\n\nCaused by:\n  failed to load source for dependency %#q\n\nCaused by:\n  Unable to update registry `crates-io`", c, v.name(), v.IntN(3), v.n(9), v.n(9), v.file(), c)
		}},
		{"linker", func(v *value) string {
			return fmt.Sprintf("error: linking with `cc` failed: exit status: 1\n  |\n  = note: LC_ALL=\"C\" PATH=%q VSLANG=\"1033\" \"cc\" \"-m64\" \"/tmp/rustc%s/symbols.o\"", v.file(), v.mixed(6))
		}},
		{"compile", func(v *value) string {
			return fmt.Sprintf("error: could not compile %#q (%s) due to %s", v.crate(), v.one("lib", "bin \""+v.name()+"\"", "lib test"), v.one("1 previous error", fmt.Sprintf("%d previous errors", 1+v.n(40)), fmt.Sprintf("%d previous errors; %d warnings emitted", 1+v.n(40), 1+v.n(9))))
		}},
		{"build script", func(v *value) string {
			return fmt.Sprintf("error: failed to run custom build command for `%s v%d.%d.%d`\n\nCaused by:\n  process didn't exit successfully: `%s/build-script-build` (exit status: 101)", v.crate(), v.IntN(3), v.n(30), v.n(99), v.file())
		}},
		{"test", func(v *value) string {
			return fmt.Sprintf("error: test failed, to rerun pass `-p %s --%s`", v.name(), v.one("lib", "bins", "doc"))
		}},
		{"lock file", func(v *value) string {
			return fmt.Sprintf("error: the lock file %s/Cargo.lock needs to be updated but --locked was passed to prevent this", v.file())
		}},
	}},
	{"npm", []kind{
		{"tree", func(v *value) string {
			return v.npm("code ERESOLVE", "ERESOLVE unable to resolve dependency tree", "", fmt.Sprintf("While resolving: %s@%s", v.name(), v.semver()), fmt.Sprintf("Found: %s@%s", v.npmName(), v.semver()))
		}},
		{"404", func(v *value) string {
			n := v.npmName()
			return v.npm("code E404", fmt.Sprintf("404 Not Found - GET https://%s/%s - Not found", v.one("npm.globex.com", v.host()), strings.ReplaceAll(n, "/", "%2f")), "404", fmt.Sprintf("404  '%s@^%s' is not in this registry.", n, v.semver()))
		}},
		{"target", func(v *value) string {
			return v.npm("code ETARGET", fmt.Sprintf("notarget No matching version found for %s@%s%s.", v.npmName(), v.one("^", "~", ""), v.semver()), "notarget In most cases you or one of your dependencies are requesting", "notarget a package version that doesn't exist.")
		}},
		{"permission", func(v *value) string {
			call, f := v.one("mkdir", "open", "rename"), v.file()
			return v.npm("code EACCES", "syscall "+call, "path "+f, "errno -13", fmt.Sprintf("Error: EACCES: permission denied, %s '%s'", call, f))
		}},
		{"integrity", func(v *value) string {
			return v.npm("code EINTEGRITY", fmt.Sprintf("sha512-%s== integrity checksum failed when using sha512: wanted sha512-%s== but got sha512-%s==. (%d bytes)", v.mixed(86), v.mixed(86), v.mixed(86), v.n(900000)))
		}},
		{"script", func(v *value) string {
			return v.npm(fmt.Sprintf("Lifecycle script %#q failed with error:", v.one("build", "test", "postinstall")), fmt.Sprintf("code %d", v.one("1", "1", "2")[0]-'0'), "path "+v.file(), fmt.Sprintf("workspace %s@%s", v.npmName(), v.semver()))
		}},
		{"missing script", func(v *value) string {
			return v.npm(fmt.Sprintf("Missing script: %q", v.one("build", "start:prod", "lint")), "", "To see a list of scripts, run:", "  npm run")
		}},
		{"sync", func(v *value) string {
			return v.npm("code EUSAGE", "", "`npm ci` can only install packages when your package.json and package-lock.json or npm-shrinkwrap.json are in sync. Please update your lock file with `npm install` before continuing.", "", fmt.Sprintf("Missing: %s@%s from lock file", v.npmName(), v.semver()))
		}},
		{"name", func(v *value) string {
			h := v.one("npm.globex.com", v.host())
			return v.npm("code ENOTFOUND", "syscall getaddrinfo", "errno ENOTFOUND", fmt.Sprintf("network request to https://%s/%s failed, reason: getaddrinfo ENOTFOUND %s", h, v.npmName(), h))
		}},
		{"reset", func(v *value) string {
			return v.npm("code ECONNRESET", "network aborted", "network This is a problem related to network connectivity.")
		}},
	}},
	{"acme clients", []kind{
		{"too many", func(v *value) string {
			return fmt.Sprintf("acme: error: 429 :: POST :: https://acme-v02.api.letsencrypt.org/acme/new-order :: urn:ietf:params:acme:error:rateLimited :: too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after %s: see https://letsencrypt.org/docs/rate-limits/#new-certificates-per-exact-set-of-identifiers", v.utc())
		}},
		{"too many failed", func(v *value) string {
			return fmt.Sprintf("acme: error: 429 :: POST :: https://acme-v02.api.letsencrypt.org/acme/new-order :: urn:ietf:params:acme:error:rateLimited :: too many failed authorizations (5) for %q in the last 1h0m0s, retry after %s: see https://letsencrypt.org/docs/rate-limits/#authorization-failures-per-identifier-per-account", v.host(), v.utc())
		}},
		{"zone", func(v *value) string {
			h := v.host()
			return fmt.Sprintf("error: one or more domains had a problem:\n[%s] [%s] acme: error presenting token: %s: failed to find zone %s.: zone could not be found", h, h, v.one("cloudflare", "cloudflare", "route53"), h)
		}},
		{"unauthorized", func(v *value) string {
			h := v.host()
			return fmt.Sprintf("error: one or more domains had a problem:\n[%s] acme: error: 403 :: urn:ietf:params:acme:error:unauthorized :: %s: Invalid response from http://%s/.well-known/acme-challenge/%s: 404", h, v.one(v.ip(), v.ip6()), h, v.mixed(43))
		}},
		{"no name", func(v *value) string {
			h := v.host()
			return fmt.Sprintf("error: one or more domains had a problem:\n[%s] acme: error: 400 :: urn:ietf:params:acme:error:dns :: DNS problem: NXDOMAIN looking up %s for %s - check that a DNS record exists for this domain", h, v.one("A", "AAAA", "TXT"), h)
		}},
		{"caa", func(v *value) string {
			h := v.host()
			return fmt.Sprintf("error: one or more domains had a problem:\n[%s] acme: error: 400 :: urn:ietf:params:acme:error:dns :: DNS problem: SERVFAIL looking up CAA for %s - the domain's nameservers may be malfunctioning", h, h)
		}},
		{"firewall", func(v *value) string {
			return fmt.Sprintf("error: one or more domains had a problem:\n[%s] acme: error: 400 :: urn:ietf:params:acme:error:connection :: %s: Timeout during connect (likely firewall problem)", v.host(), v.one(v.ip(), v.ip6()))
		}},
		{"refused", func(v *value) string {
			return fmt.Sprintf("error: one or more domains had a problem:\n[%s] acme: error: 400 :: urn:ietf:params:acme:error:connection :: %s: Fetching http://%s/.well-known/acme-challenge/%s: Connection refused", v.host(), v.one(v.ip(), v.ip6()), v.host(), v.mixed(43))
		}},
		{"propagation", func(v *value) string {
			h := v.host()
			return fmt.Sprintf("[%s] propagation: time limit exceeded: last error: NS %s.%s returned NXDOMAIN for _acme-challenge.%s.", h, v.one("ns1.", "anna.ns.", "bob.ns."), v.host(), h)
		}},
		{"port", func(v *value) string {
			return fmt.Sprintf("Failed to renew certificate %s with error: Could not bind TCP port 80 because it is already in use by another process on this system (such as a web server). Please stop the program in question and then try again.", v.one(v.host(), v.name()))
		}},
	}},
	{"clickhouse", []kind{
		{"memory of query", func(v *value) string {
			return v.clickhouse(241, fmt.Sprintf("Memory limit (for query) exceeded: would use %.2f GiB (attempt to allocate chunk of %d bytes), maximum: %.2f GiB.: While executing %s.", v.Float64()*90, v.n(90000000), v.Float64()*90, v.one("AggregatingTransform", "MergeTreeThread", "FillingRightJoinSide")), "MEMORY_LIMIT_EXCEEDED")
		}},
		{"memory of all", func(v *value) string {
			return v.clickhouse(241, fmt.Sprintf("Memory limit (total) exceeded: would use %.2f GiB (attempt to allocate chunk of %d bytes), maximum: %.2f GiB.", v.Float64()*90, v.n(90000000), v.Float64()*90), "MEMORY_LIMIT_EXCEEDED")
		}},
		{"table", func(v *value) string {
			return v.clickhouse(60, fmt.Sprintf("Table %s.%s does not exist.%s", v.schema(), v.table(), v.one("", " Maybe you meant "+v.schema()+"."+v.table()+"?")), "UNKNOWN_TABLE")
		}},
		{"identifier", func(v *value) string {
			c := v.column()
			return v.clickhouse(47, fmt.Sprintf("Unknown expression identifier '%s' in scope SELECT %s FROM %s.%s.", c, c, v.schema(), v.table()), "UNKNOWN_IDENTIFIER")
		}},
		{"timeout", func(v *value) string {
			return v.clickhouse(159, fmt.Sprintf("Timeout exceeded: elapsed %.6f seconds, maximum: %d.", v.Float64()*90, v.n(90)), "TIMEOUT_EXCEEDED")
		}},
		{"parts", func(v *value) string {
			return v.clickhouse(252, fmt.Sprintf("Too many parts (%d with average size of %.2f MiB) in table '%s.%s (%s)'. Merges are processing significantly slower than inserts.", 3000+v.n(900), v.Float64()*9, v.schema(), v.table(), v.uuid()), "TOO_MANY_PARTS")
		}},
		{"refused", func(v *value) string {
			return fmt.Sprintf("Code: 210. DB::NetException: Connection refused (%s:9000). (NETWORK_ERROR)", v.one(v.host(), "localhost", v.ip()))
		}},
		{"password", func(v *value) string {
			return v.clickhouse(516, fmt.Sprintf("%s: Authentication failed: password is incorrect, or there is no user with such name.", v.account()), "AUTHENTICATION_FAILED")
		}},
		{"input", func(v *value) string {
			return fmt.Sprintf("Code: 27. DB::ParsingException: Cannot parse input: expected ',' before: '%s': (at row %d)\n: While executing ParallelParsingBlockInputFormat. (CANNOT_PARSE_INPUT_ASSERTION_FAILED)", v.phrase(), v.n(90000))
		}},
		{"queries", func(v *value) string {
			return v.clickhouse(202, fmt.Sprintf("Too many simultaneous queries. Maximum: %d.", v.n(500)), "TOO_MANY_SIMULTANEOUS_QUERIES")
		}},
		{"read only", func(v *value) string {
			return v.clickhouse(242, fmt.Sprintf("Table is in readonly mode (replica path: /clickhouse/tables/%s/%s/replicas/%s).", v.uuid(), v.one("01", "shop"), v.name()), "TABLE_IS_READ_ONLY")
		}},
	}},
	{"cassandra", []kind{
		{"read", func(v *value) string {
			return fmt.Sprintf("com.datastax.oss.driver.api.core.servererrors.ReadTimeoutException: Cassandra timeout during read query at consistency %s (%d responses were required but only %d replica responded)", v.consistency(), 1+v.n(3), v.IntN(2))
		}},
		{"write", func(v *value) string {
			return fmt.Sprintf("com.datastax.oss.driver.api.core.servererrors.WriteTimeoutException: Cassandra timeout during %s write query at consistency %s (%d replica were required but only %d acknowledged the write)", v.one("SIMPLE", "BATCH", "UNLOGGED_BATCH"), v.consistency(), 1+v.n(3), v.IntN(2))
		}},
		{"unavailable", func(v *value) string {
			return fmt.Sprintf("com.datastax.oss.driver.api.core.servererrors.UnavailableException: Not enough replicas available for query at consistency %s (%d required but only %d alive)", v.consistency(), 1+v.n(3), v.IntN(2))
		}},
		{"hosts slow", func(v *value) string {
			return v.hostsTried(func(at string) string {
				return "com.datastax.driver.core.exceptions.OperationTimedOutException: [" + at + "] Timed out waiting for server response"
			})
		}},
		{"hosts down", func(v *value) string {
			return v.hostsTried(func(at string) string {
				return "com.datastax.driver.core.exceptions.TransportException: [" + at + "] Cannot connect"
			})
		}},
		{"table", func(v *value) string {
			return "com.datastax.oss.driver.api.core.servererrors.InvalidQueryException: unconfigured table " + v.table()
		}},
		{"column", func(v *value) string {
			return fmt.Sprintf("com.datastax.oss.driver.api.core.servererrors.InvalidQueryException: Undefined column name %s in table %s.%s", v.column(), v.schema(), v.table())
		}},
		{"python write", func(v *value) string {
			return fmt.Sprintf("Error from server: code=1100 [Coordinator node timed out waiting for replica nodes' responses] message=\"Operation timed out - received only %d responses.\" info={'consistency': '%s', 'required_responses': %d, 'received_responses': %d, 'write_type': '%s'}", v.IntN(2), v.consistency(), 1+v.n(3), v.IntN(2), v.one("SIMPLE", "BATCH"))
		}},
		{"python read", func(v *value) string {
			return fmt.Sprintf("Error from server: code=1200 [Coordinator node timed out waiting for replica nodes' responses] message=\"Operation timed out - received only %d responses.\" info={'consistency': '%s', 'required_responses': %d, 'received_responses': %d}", v.IntN(2), v.consistency(), 1+v.n(3), v.IntN(2))
		}},
		{"batch", func(v *value) string {
			return fmt.Sprintf("Batch of prepared statements for [%s.%s] is of size %d.%03dKiB, exceeding specified threshold of 50.000KiB by %d.%03dKiB.", v.schema(), v.table(), 50+v.n(900), v.IntN(1000), v.n(900), v.IntN(1000))
		}},
		{"tombstones", func(v *value) string {
			return fmt.Sprintf("Scanned over %d tombstones during query 'SELECT * FROM %s.%s WHERE %s = %d LIMIT %d' (last scanned row token was %d and partion key was ((%s, %d), )); query aborted", 100001, v.schema(), v.table(), v.column(), v.n(90000), v.n(5000), v.Int64(), v.word(), v.n(90000))
		}},
	}},
	{"grpc java", []kind{
		{"refused", func(v *value) string {
			h := v.host()
			return v.grpc("UNAVAILABLE: io exception") + fmt.Sprintf("Caused by: io.netty.channel.AbstractChannel$AnnotatedConnectException: Connection refused: %s/%s:%d\n", h, v.ip(), v.port())
		}},
		{"host", func(v *value) string {
			h := v.host()
			return v.grpc("UNAVAILABLE: Unable to resolve host "+h) + fmt.Sprintf("Caused by: java.lang.RuntimeException: java.net.UnknownHostException: %s: Name or service not known\n", h)
		}},
		{"deadline", func(v *value) string {
			return v.grpc(fmt.Sprintf("DEADLINE_EXCEEDED: CallOptions deadline exceeded after %.9fs. Name resolution delay %.9f seconds. [closed=[], open=[[buffered_nanos=%d, remote_addr=%s/%s:%d]]]", v.Float64()*30, v.Float64(), v.n(90000000), v.host(), v.ip(), v.port()))
		}},
		{"size", func(v *value) string {
			return v.grpc(fmt.Sprintf("RESOURCE_EXHAUSTED: gRPC message exceeds maximum size 4194304: %d", v.n(90000000)))
		}},
		{"token", func(v *value) string { return v.grpc("UNAUTHENTICATED: Jwt is expired") }},
		{"issuer", func(v *value) string { return v.grpc("UNAUTHENTICATED: Jwt issuer is not configured") }},
		{"reset", func(v *value) string {
			return v.grpc("INTERNAL: RST_STREAM closed stream. HTTP/2 error code: INTERNAL_ERROR")
		}},
		{"protocol", func(v *value) string {
			return v.grpc("INTERNAL: RST_STREAM closed stream. HTTP/2 error code: PROTOCOL_ERROR")
		}},
		{"no price", func(v *value) string {
			return v.grpc(fmt.Sprintf("NOT_FOUND: no price for sku %s in %s", v.one(v.key(8), v.word(), fmt.Sprint(v.n(90000))), v.one("EUR", "USD", "CHF")))
		}},
		{"page", func(v *value) string {
			return v.grpc(fmt.Sprintf("PERMISSION_DENIED: HTTP status code 403\ninvalid content-type: text/html\nheaders: Metadata(:status=403,server=%s,date=%s, %02d Nov 2026 %02d:%02d:%02d GMT,content-type=text/html,content-length=%d)\nDATA-----------------------------\n<html><head><title>403 Forbidden</title></head>", v.one("nginx", "awselb/2.0", "cloudflare"), v.one("Mon", "Tue", "Sat"), v.n(30), v.IntN(24), v.IntN(60), v.IntN(60), v.n(900)))
		}},
	}},
	{"ansible", []kind{
		{"slow", func(v *value) string {
			h := v.inventory()
			return fmt.Sprintf("fatal: [%s]: UNREACHABLE! => {\"changed\": false, \"msg\": \"Failed to connect to the host via ssh: %s: connect to host %s port 22: Connection timed out\", \"unreachable\": true}", h, "ssh", h)
		}},
		{"key", func(v *value) string {
			h := v.inventory()
			return fmt.Sprintf("fatal: [%s]: UNREACHABLE! => {\"changed\": false, \"msg\": \"Failed to connect to the host via ssh: %s@%s: Permission denied (publickey,password).\", \"unreachable\": true}", h, v.account(), h)
		}},
		{"package", func(v *value) string {
			return fmt.Sprintf("fatal: [%s]: FAILED! => {\"changed\": false, \"msg\": \"No package matching '%s' is available\"}", v.inventory(), v.one("nginx", "postgresql-16", "docker-ce", "htop"))
		}},
		{"command", func(v *value) string {
			said := v.one("", "Killed", "bash: line 1: "+v.word()+": command not found")
			return fmt.Sprintf("fatal: [%s]: FAILED! => {\"changed\": true, \"cmd\": [\"%s/run.sh\", %q], \"delta\": \"0:00:%02d.%06d\", \"end\": \"%s %02d:%02d:%02d\", \"msg\": \"non-zero return code\", \"rc\": %d, \"stderr\": %q, \"stderr_lines\": [%q], \"stdout\": \"\"}",
				v.inventory(), v.file(), v.word(), v.IntN(60), v.IntN(1000000), v.day("-"), v.IntN(24), v.IntN(60), v.IntN(60), v.n(3), said, said)
		}},
		{"undefined", func(v *value) string {
			return fmt.Sprintf("fatal: [%s]: FAILED! => {\"msg\": \"The task includes an option with an undefined variable. The error was: '%s' is undefined\\n\\nThe error appears to be in '%s/tasks/main.yml': line %d, column %d, but may\\nbe elsewhere in the file depending on the exact syntax problem.\"}", v.inventory(), v.column(), v.file(), v.n(90), v.n(9))
		}},
		{"port", func(v *value) string {
			return fmt.Sprintf("fatal: [%s]: FAILED! => {\"changed\": false, \"elapsed\": %d, \"msg\": \"Timeout when waiting for %s:%d\"}", v.inventory(), v.n(900), v.one(v.host(), "localhost", v.ip()), v.port())
		}},
		{"service", func(v *value) string {
			return fmt.Sprintf("fatal: [%s]: FAILED! => {\"changed\": false, \"msg\": \"Could not find the requested service %s: host\"}", v.inventory(), v.one("nginx", "crawler", "redis-server", "worker@2"))
		}},
		{"status", func(v *value) string {
			return fmt.Sprintf("fatal: [%s]: FAILED! => {\"attempts\": %d, \"changed\": false, \"connection\": \"close\", \"elapsed\": %d, \"msg\": \"Status code was 503 and not [200]: HTTP Error 503: Service Unavailable\", \"redirected\": false, \"status\": 503, \"url\": %q}", v.inventory(), v.n(9), v.n(30), v.url())
		}},
		{"module", func(v *value) string {
			return fmt.Sprintf("ERROR! couldn't resolve module/action '%s'. This often indicates a misspelling, missing collection, or incorrect module path.\n\nThe error appears to be in '%s/site.yml': line %d, column %d", v.one("community.general.ufw", "docker_container", "acme.shop.deploy"), v.file(), v.n(90), v.n(9))
		}},
	}},
}
