package queue_test

import (
	"fmt"
	"strings"
)

// fifth are seven programs that were put away before the rules had met them; the rules may be mended by them.
var fifth = []program{
	{"terraform", []kind{
		{"parameter", func(v *value) string {
			return v.terraform(fmt.Sprintf("creating EC2 Instance: operation error EC2: RunInstances, https response error StatusCode: 400, RequestID: %s, api error InvalidParameterValue: Value (%s) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name", v.uuid(), v.name()), "aws_instance")
		}},
		{"bucket exists", func(v *value) string {
			return v.terraform(fmt.Sprintf("creating S3 Bucket (%s): operation error S3: CreateBucket, https response error StatusCode: 409, RequestID: %s, HostID: %s/%s=, BucketAlreadyExists: ", v.name(), v.key(16), v.mixed(40), v.mixed(35)), "aws_s3_bucket")
		}},
		{"state lock", func(v *value) string {
			return fmt.Sprintf("Error: Error acquiring the state lock\n\nError message: ConditionalCheckFailedException: The conditional request failed\nLock Info:\n  ID:        %s\n  Path:      %s/%s/terraform.tfstate\n  Operation: OperationTypeApply\n  Who:       %s@%s\n  Version:   1.%d.%d\n  Created:   %s",
				v.uuid(), v.name(), v.one("prod", "staging"), v.account(), v.name(), v.n(9), v.n(9), v.time())
		}},
		{"undeclared", func(v *value) string {
			return fmt.Sprintf("Error: Reference to undeclared resource\n\n  on %s line %d, in resource \"aws_instance\" %q:\n  %d:   subnet_id = aws_subnet.%s.id\n\nA managed resource \"aws_subnet\" %q has not been declared in the root module.", v.hcl(), v.n(300), v.name(), v.n(300), v.word(), v.word())
		}},
		{"registry", func(v *value) string {
			return fmt.Sprintf("Error: Failed to query available provider packages\n\nCould not retrieve the list of available versions for provider hashicorp/%s: could not connect to registry.terraform.io: failed to request discovery document: Get \"https://registry.terraform.io/.well-known/terraform.json\": net/http: TLS handshake timeout", v.one("aws", "google", "kubernetes", "random"))
		}},
		{"cycle", func(v *value) string {
			of := make([]string, 2+v.IntN(3))
			for i := range of {
				of[i] = v.one("aws_security_group.", "aws_security_group_rule.", "module.net.aws_route.") + v.one("web", "db", "lb", "cache2")
			}
			return "Error: Cycle: " + strings.Join(of, ", ")
		}},
		{"slow", func(v *value) string {
			return v.terraform(fmt.Sprintf("waiting for RDS DB Instance (%s) create: timeout while waiting for state to become 'available' (last state: '%s', timeout: %dm0s)", v.name(), v.one("creating", "backing-up", "configuring-enhanced-monitoring"), v.n(60)), "aws_db_instance")
		}},
	}},
	{"helm and kubectl", []kind{
		{"in progress", func(*value) string {
			return "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress"
		}},
		{"no release", func(v *value) string {
			return fmt.Sprintf("Error: UPGRADE FAILED: %q has no deployed releases", v.name())
		}},
		{"immutable", func(v *value) string {
			n := v.name()
			return fmt.Sprintf("Error: UPGRADE FAILED: cannot patch %q with kind Deployment: Deployment.apps %q is invalid: spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{\"app\":%q}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable", n, n, n)
		}},
		{"no pod", func(v *value) string {
			return fmt.Sprintf("Error from server (NotFound): pods \"%s-%s-%s\" not found", v.name(), v.hex(9), v.letters("bcdfghjklmnpqrstvwxz2456789", 5))
		}},
		{"no deployment", func(v *value) string {
			return fmt.Sprintf("Error from server (NotFound): deployments.apps %q not found", v.name())
		}},
		{"forbidden", func(v *value) string {
			return fmt.Sprintf("Error from server (Forbidden): pods is forbidden: User \"system:serviceaccount:%s:%s\" cannot list resource \"pods\" in API group \"\" in the namespace %q", v.name(), v.name(), v.name())
		}},
		{"unreachable", func(v *value) string {
			return fmt.Sprintf("Unable to connect to the server: dial tcp %s:6443: i/o timeout", v.ip())
		}},
		{"certificate", func(v *value) string {
			return fmt.Sprintf("Unable to connect to the server: tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time %s is after %s", v.time(), v.time())
		}},
		{"progress", func(v *value) string {
			return fmt.Sprintf("error: deployment %q exceeded its progress deadline", v.name())
		}},
		{"image", func(v *value) string {
			return fmt.Sprintf("The Deployment %q is invalid: spec.template.spec.containers[%d].image: Required value", v.name(), v.IntN(4))
		}},
		{"container", func(v *value) string {
			return fmt.Sprintf("error: unable to upgrade connection: container not found (%q)", v.name())
		}},
	}},
	{"pip", []kind{
		{"no version", func(v *value) string {
			want := v.requirement()
			return fmt.Sprintf("ERROR: Could not find a version that satisfies the requirement %s (from versions: %s)\nERROR: No matching distribution found for %s", want, v.one("none", v.versions(), v.versions()), want)
		}},
		{"conflict", func(v *value) string {
			return fmt.Sprintf("ERROR: Cannot install %s and %s because these package versions have conflicting dependencies.\nERROR: ResolutionImpossible: for help visit https://pip.pypa.io/en/latest/topics/dependency-resolution/#dealing-with-dependency-conflicts",
				v.one("-r requirements.txt (line "+fmt.Sprint(v.n(40))+")", v.requirement()), v.requirement())
		}},
		{"wheel", func(v *value) string {
			p := v.distribution()
			return fmt.Sprintf("  ERROR: Failed building wheel for %s\nERROR: Could not build wheels for %s, which is required to install pyproject.toml-based projects", p, p)
		}},
		{"permission", func(v *value) string {
			return fmt.Sprintf("ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '%s'\nConsider using the `--user` option or check the permissions.", v.file())
		}},
		{"space", func(*value) string {
			return "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
		}},
		{"python", func(v *value) string {
			return fmt.Sprintf("ERROR: Package '%s' requires a different Python: 3.%d.%d not in '>=3.%d'", v.distribution(), v.n(12), v.n(19), v.n(13))
		}},
		{"hashes", func(v *value) string {
			return fmt.Sprintf("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated the package versions, please update the hashes. Otherwise, examine the package contents carefully; someone may have tampered with them.\n    %s from https://%s/packages/%s/%s.whl (from -r requirements.txt (line %d)):\n        Expected sha256 %s\n             Got        %s",
				v.requirement(), v.host(), v.hex(2), v.hex(20), v.n(90), v.hex(64), v.hex(64))
		}},
		{"slow", func(v *value) string {
			return fmt.Sprintf("pip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool(host='%s', port=443): Read timed out.", v.host())
		}},
	}},
	{"ffmpeg", []kind{
		{"403", func(v *value) string {
			u := v.url()
			return fmt.Sprintf("[https @ 0x%s] HTTP error 403 Forbidden\n%s: Server returned 403 Forbidden (access denied)", v.hex(12), u)
		}},
		{"404", func(v *value) string {
			u := v.url()
			return fmt.Sprintf("[https @ 0x%s] HTTP error 404 Not Found\n%s: Server returned 404 Not Found", v.hex(12), u)
		}},
		{"no file", func(v *value) string {
			return fmt.Sprintf("[in#%d @ 0x%s] Error opening input: No such file or directory\nError opening input file %s.\nError opening input files: No such file or directory", v.IntN(4), v.hex(12), v.one(v.file()+".mp4", "in.mp4", "clips/"+v.word()+".mov"))
		}},
		{"encoder", func(v *value) string {
			return fmt.Sprintf("Unknown encoder '%s'", v.one("libx265", "libfdk_aac", "h264_nvenc", "libwebp"))
		}},
		{"macroblock", func(v *value) string {
			return fmt.Sprintf("[h264 @ 0x%s] error while decoding MB %d %d, bytestream %d", v.hex(12), v.n(120), v.n(70), v.IntN(20000)-5000)
		}},
		{"header", func(v *value) string {
			return fmt.Sprintf("[%s @ 0x%s] Could not write header for output file #%d (incorrect codec parameters ?): Invalid argument", v.one("mp4", "mp4", "matroska", "webm"), v.hex(12), v.IntN(3))
		}},
		{"odd", func(v *value) string {
			return fmt.Sprintf("[libx264 @ 0x%s] height not divisible by 2 (%dx%d)", v.hex(12), v.n(1900), v.n(1000))
		}},
		{"pipe", func(*value) string { return "av_interleaved_write_frame(): Broken pipe" }},
		{"space", func(*value) string { return "av_interleaved_write_frame(): No space left on device" }},
		{"map", func(v *value) string {
			return fmt.Sprintf("Stream map '%s' matches no streams.\nTo ignore this, add a trailing '?' to the map.", v.one("0:a:1", "0:s", "1:v:0", "[out]"))
		}},
		{"filter", func(v *value) string {
			return fmt.Sprintf("[AVFilterGraph @ 0x%s] No such filter: '%s'", v.hex(12), v.one("subtitles", "drawtext", "zscale"))
		}},
	}},
	{"rabbitmq", []kind{
		{"argument", func(v *value) string {
			return v.amqp("channel", 406, fmt.Sprintf("PRECONDITION_FAILED - inequivalent arg '%s' for queue '%s' in vhost '%s': received none but current is the value '%d' of type 'signedint'", v.one("x-message-ttl", "x-max-priority"), v.name(), v.one("/", "shop"), v.n(90000)), 50, 10)
		}},
		{"no queue", func(v *value) string {
			return v.amqp("channel", 404, fmt.Sprintf("NOT_FOUND - no queue '%s' in vhost '%s'", v.name(), v.one("/", "shop")), 50, 10)
		}},
		{"no exchange", func(v *value) string {
			return v.amqp("channel", 404, fmt.Sprintf("NOT_FOUND - no exchange '%s' in vhost '%s'", v.name(), v.one("/", "shop")), 60, 40)
		}},
		{"tag", func(v *value) string {
			return v.amqp("channel", 406, fmt.Sprintf("PRECONDITION_FAILED - unknown delivery tag %d", v.n(90000)), 60, 80)
		}},
		{"slow", func(v *value) string {
			return v.amqp("channel", 406, fmt.Sprintf("PRECONDITION_FAILED - delivery acknowledgement on channel %d timed out. Timeout value used: %d ms. This timeout value can be configured, see consumers doc guide to learn more", v.n(90), v.n(3600000)), 0, 0)
		}},
		{"locked", func(v *value) string {
			return v.amqp("channel", 405, fmt.Sprintf("RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '%s' in vhost '%s'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", v.name(), v.one("/", "shop")), 50, 10)
		}},
		{"refused", func(v *value) string {
			return v.amqp("channel", 403, fmt.Sprintf("ACCESS_REFUSED - access to exchange '%s' in vhost '%s' refused for user '%s'", v.name(), v.one("/", "shop"), v.account()), 40, 10)
		}},
		{"forced", func(*value) string {
			return "connection error; protocol method: #method<connection.close>(reply-code=320, reply-text=CONNECTION_FORCED - broker forced connection closure with reason 'shutdown', class-id=0, method-id=0)"
		}},
		{"heartbeat", func(v *value) string {
			return v.amqpClosed() + fmt.Sprintf("missed heartbeats from client, timeout: %ds", v.n(60))
		}},
		{"gone", func(v *value) string {
			return v.amqpClosed() + "client unexpectedly closed TCP connection"
		}},
	}},
	{"haproxy", []kind{
		{"slow connect", func(v *value) string { return v.haproxy("Layer4 timeout") }},
		{"refused", func(v *value) string {
			return v.haproxy(`Layer4 connection problem, info: "Connection refused"`)
		}},
		{"status", func(v *value) string {
			return v.haproxy("Layer7 wrong status, code: 503, info: \"" + v.one("Service Unavailable", "HTTP status check returned code <3C>503<3E>") + `"`)
		}},
		{"slow answer", func(v *value) string { return v.haproxy("Layer7 timeout") }},
		{"nobody", func(v *value) string {
			return fmt.Sprintf("[ALERT]    (%d) : backend '%s' has no server available!", v.n(90000), v.backend())
		}},
		{"stopped", func(v *value) string {
			return fmt.Sprintf("Proxy %s stopped (cumulated conns: FE: %d, BE: %d).", v.backend(), v.IntN(9000), v.IntN(9000))
		}},
		{"handshake", func(v *value) string {
			return fmt.Sprintf("%s:%d [%02d/Nov/2026:%02d:%02d:%02d.%03d] fe_%s/%d: SSL handshake failure", v.ip(), v.port(), v.n(30), v.IntN(24), v.IntN(60), v.IntN(60), v.IntN(1000), v.one("https", "shop"), v.n(4))
		}},
		{"handshake broken", func(v *value) string {
			return fmt.Sprintf("%s:%d [%02d/Nov/2026:%02d:%02d:%02d.%03d] fe_%s/%d: Connection closed during SSL handshake", v.ip(), v.port(), v.n(30), v.IntN(24), v.IntN(60), v.IntN(60), v.IntN(1000), v.one("https", "shop"), v.n(4))
		}},
		{"address", func(v *value) string {
			return fmt.Sprintf("[ALERT]    (%d) : config : [%s/haproxy.cfg:%d] : 'server %s/%s' : could not resolve address '%s'.", v.n(90000), v.one("/etc/haproxy", "/usr/local/etc/haproxy"), v.n(200), v.backend(), v.name(), v.host())
		}},
	}},
	{"requests", []kind{
		{"slow connect", func(v *value) string {
			h := v.host()
			return v.requests(fmt.Sprintf("ConnectTimeout: HTTPSConnectionPool(host='%s', port=443): Max retries exceeded with url: %s (Caused by ConnectTimeoutError(<urllib3.connection.HTTPSConnection object at 0x%s>, 'Connection to %s timed out. (connect timeout=%d)'))", h, v.path(), v.hex(12), h, v.n(60)))
		}},
		{"slow read", func(v *value) string {
			return v.requests(fmt.Sprintf("ReadTimeout: HTTPSConnectionPool(host='%s', port=443): Read timed out. (read timeout=%d)", v.host(), v.n(60)))
		}},
		{"expired", func(v *value) string {
			return v.requests(fmt.Sprintf("SSLError: HTTPSConnectionPool(host='%s', port=443): Max retries exceeded with url: %s (Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:%d)')))", v.host(), v.path(), 900+v.n(200)))
		}},
		{"name", func(v *value) string {
			h := v.host()
			return v.requests(fmt.Sprintf("ConnectionError: HTTPSConnectionPool(host='%s', port=443): Max retries exceeded with url: %s (Caused by NameResolutionError(\"<urllib3.connection.HTTPSConnection object at 0x%s>: Failed to resolve '%s' ([Errno -2] Name or service not known)\"))", h, v.path(), v.hex(12), h))
		}},
		{"proxy", func(v *value) string {
			return v.requests(fmt.Sprintf("ProxyError: HTTPSConnectionPool(host='%s', port=443): Max retries exceeded with url: %s (Caused by ProxyError('Unable to connect to proxy', OSError('Tunnel connection failed: 407 Proxy Authentication Required')))", v.host(), v.path()))
		}},
		{"closed", func(v *value) string {
			return v.requests("ConnectionError: ('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))")
		}},
		{"reset", func(v *value) string {
			return v.requests("ConnectionError: ('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))")
		}},
		{"404", func(v *value) string {
			return v.requests(fmt.Sprintf("HTTPError: 404 Client Error: Not Found for url: %s", v.url()))
		}},
		{"503", func(v *value) string {
			return v.requests(fmt.Sprintf("HTTPError: 503 Server Error: Service Unavailable for url: %s", v.url()))
		}},
		{"incomplete", func(v *value) string {
			read, more := v.n(90000), v.n(90000)
			return v.requests(fmt.Sprintf("ChunkedEncodingError: ('Connection broken: IncompleteRead(%d bytes read, %d more expected)', IncompleteRead(%d bytes read, %d more expected))", read, more, read, more))
		}},
		{"scheme", func(v *value) string {
			h := v.host() + v.path()
			return v.requests(fmt.Sprintf("MissingSchema: Invalid URL '%s': No scheme supplied. Perhaps you meant https://%s?", h, h))
		}},
	}},
}
