package queue_test

import (
	"fmt"
	"strings"
)

// fourth are thirteen programs that were put away, without a look at the rules of fetchq.error_pattern, before these are changed again.
var fourth = []program{
	{"redis client", []kind{
		{"wrong type", func(v *value) string {
			return fmt.Sprintf("redis: hgetall session:%s: WRONGTYPE Operation against a key holding the wrong kind of value", v.hex(32))
		}},
		{"read only", func(v *value) string {
			return fmt.Sprintf("READONLY You can't write against a read only replica. script: %s, on @user_script:%d.", v.hex(40), v.n(40))
		}},
		{"maxmemory", func(v *value) string {
			return fmt.Sprintf("setex page:%s:%d: OOM command not allowed when used memory > 'maxmemory'.", v.host(), v.n(900000))
		}},
		{"slots", func(v *value) string {
			return fmt.Sprintf("CROSSSLOT Keys in request don't hash to the same slot (MGET cart:%d cart:%d)", v.n(900000), v.n(900000))
		}},
		{"connect timeout", func(v *value) string {
			return fmt.Sprintf("Redis::CannotConnectError: Error connecting to Redis on %s:%d (Redis::TimeoutError)", v.ip(), v.port())
		}},
		{"slow answer", func(v *value) string {
			return fmt.Sprintf("StackExchange.Redis.RedisTimeoutException: Timeout performing GET (%dms), next: GET page:%d, inst: %d, qu: 0, qs: %d, aw: False, bw: %s, rs: %s, ws: Idle, in: %d, in-pipe: 0, out-pipe: 0, serverEndpoint: %s:6380, mc: 1/1/0, mgr: %d of 10 available, clientName: WORKER%d(SE.Redis-v2.6.122.38350), IOCP: (Busy=%d,Free=%d,Min=2,Max=1000), WORKER: (Busy=%d,Free=%d,Min=2,Max=32767), v: 2.6.122.38350",
				v.n(9000), v.n(900000), v.n(90), v.n(400), v.one("SpinningDown", "Inactive"), v.one("ReadAsync", "ComputeResult"), v.IntN(70000), v.host(), v.n(10), v.n(40), v.n(9), v.n(1000), v.n(60), v.n(32767))
		}},
	}},
	{"kafka client", []kind{
		{"metadata", func(v *value) string {
			return fmt.Sprintf("org.apache.kafka.common.errors.TimeoutException: Topic crawl.results not present in metadata after %d ms.", v.n(60000))
		}},
		{"expired batch", func(v *value) string {
			return fmt.Sprintf("org.apache.kafka.common.errors.TimeoutException: Expiring %d record(s) for crawl.results-%d:%d ms has passed since batch creation", v.n(900), v.IntN(64), 120000+v.n(900))
		}},
		{"offset", func(v *value) string {
			return fmt.Sprintf("[Consumer clientId=consumer-indexer-%d, groupId=indexer] Fetch position FetchPosition{offset=%d, offsetEpoch=%s, currentLeader=LeaderAndEpoch{leader=Optional[%s:9092 (id: %d rack: %s)], epoch=%d}} is out of range for partition crawl.results-%d",
				v.n(9), v.n(900000000), v.one("Optional.empty", fmt.Sprintf("Optional[%d]", v.n(90))), v.host(), v.n(9), v.one("null", "eu-west-1a", "eu-west-1b"), v.n(200), v.IntN(64))
		}},
		{"kicked out", func(v *value) string {
			return fmt.Sprintf("org.apache.kafka.clients.consumer.CommitFailedException: Offset commit cannot be completed since the consumer is not part of an active group for auto partition assignment; it is likely that the consumer was kicked out of the group.\n\tat org.apache.kafka.clients.consumer.internals.ConsumerCoordinator.sendOffsetCommitRequest(ConsumerCoordinator.java:%d)\n\tat shop.Indexer.poll(Indexer.java:%d)",
				v.n(1500), v.n(300))
		}},
		{"coordinator", func(v *value) string {
			return fmt.Sprintf("[Consumer clientId=consumer-indexer-%d, groupId=indexer] Group coordinator %s:9092 (id: %d rack: null) is unavailable or invalid due to cause: coordinator unavailable. isDisconnected: %s. Rediscovery will be attempted.", v.n(9), v.host(), 2147483000+v.n(600), v.one("true", "false"))
		}},
		{"password", func(v *value) string {
			return v.librdkafka("SASL authentication error: Authentication failed", "AUTH_REQ")
		}},
		{"certificate", func(v *value) string {
			return v.librdkafka("SSL handshake failed: certificate verify failed: broker certificate could not be verified, verify that ssl.ca.location is correctly configured", "SSL_HANDSHAKE")
		}},
		{"record", func(v *value) string {
			return fmt.Sprintf("org.apache.kafka.common.errors.RecordDeserializationException: Error deserializing key/value for partition crawl.results-%d at offset %d. If needed, please seek past the record to continue consumption.", v.IntN(64), v.n(90000000))
		}},
	}},
	{"elasticsearch", []kind{
		{"field", func(v *value) string {
			return fmt.Sprintf("RequestError(400, 'document_parsing_exception', \"[1:%d] failed to parse field [price] of type [float] in document with id '%s'. Preview of field's value: '%s'\")", v.n(4000), v.document(), v.phrase())
		}},
		{"rejected", func(v *value) string {
			return fmt.Sprintf("es_rejected_execution_exception: rejected execution of coordinating operation [coordinating_and_primary_bytes=%d, replica_bytes=%d, all_bytes=%d, coordinating_operation_bytes=%d, max_coordinating_and_primary_bytes=107374182]", v.n(90000000), v.n(9000000), v.n(99000000), v.n(90000))
		}},
		{"breaker", func(v *value) string {
			return fmt.Sprintf("circuit_breaking_exception: [parent] Data too large, data for [<http_request>] would be [%s], which is larger than the limit of [1020054732/972.7mb], real usage: [%s], new bytes reserved: [%s], usages [eql_sequence=0/0b, fielddata=%s, request=0/0b, inflight_requests=%s]", v.bytes(), v.bytes(), v.bytes(), v.bytes(), v.bytes())
		}},
		{"changed meanwhile", func(v *value) string {
			return fmt.Sprintf("version_conflict_engine_exception: [%s]: version conflict, required seqNo [%d], primary term [%d]. current document has seqNo [%d] and primary term [%d]", v.document(), v.n(900000), v.n(9), v.n(900000), v.n(9))
		}},
		{"exists", func(v *value) string {
			return fmt.Sprintf("version_conflict_engine_exception: [%s]: version conflict, document already exists (current version [%d])", v.document(), v.n(20))
		}},
		{"disk", func(v *value) string {
			return fmt.Sprintf("cluster_block_exception: index [pages-%s] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block];", v.day("."))
		}},
		{"index", func(v *value) string {
			return fmt.Sprintf("NotFoundError(404, 'index_not_found_exception', 'no such index [pages-%s]', pages-%s, index_or_alias)", v.day("."), v.day("."))
		}},
		{"window", func(v *value) string {
			return fmt.Sprintf("illegal_argument_exception: Result window is too large, from + size must be less than or equal to: [10000] but was [%d].", 10000+v.n(90000))
		}},
	}},
	{"git", []kind{
		{"host", func(v *value) string {
			h := v.host()
			return fmt.Sprintf("Cloning into '%s'...\nfatal: unable to access 'https://%s/%s/%s.git/': Could not resolve host: %s", v.repository(), h, v.account(), v.repository(), h)
		}},
		{"forbidden", func(v *value) string {
			return fmt.Sprintf("Cloning into '%s'...\nfatal: unable to access 'https://%s/%s/%s.git/': The requested URL returned error: 403", v.repository(), v.host(), v.account(), v.repository())
		}},
		{"lock", func(v *value) string {
			return fmt.Sprintf("fatal: Unable to create '%s/.git/index.lock': File exists.\n\nAnother git process seems to be running in this repository, e.g.\nan editor opened by 'git commit'.", v.file())
		}},
		{"corrupt", func(v *value) string {
			first, rest := v.hex(2), v.hex(38)
			return fmt.Sprintf("error: inflate: data stream error (incorrect data check)\nfatal: loose object %s%s (stored in .git/objects/%s/%s) is corrupt", first, rest, first, rest)
		}},
		{"pathspec", func(v *value) string {
			return fmt.Sprintf("error: pathspec '%s' did not match any file(s) known to git", v.branch())
		}},
		{"conflict", func(v *value) string {
			f := v.source()
			return fmt.Sprintf("Auto-merging %s\nCONFLICT (content): Merge conflict in %s\nAutomatic merge failed; fix conflicts and then commit the result.", f, f)
		}},
		{"push rejected", func(v *value) string {
			b := v.branch()
			return fmt.Sprintf("To git@%s:%s/%s.git\n ! [rejected]        %s -> %s (non-fast-forward)\nerror: failed to push some refs to 'git@%s:%s/%s.git'", v.host(), v.account(), v.repository(), b, b, v.host(), v.account(), v.repository())
		}},
		{"early end", func(v *value) string {
			return fmt.Sprintf("error: RPC failed; curl 92 HTTP/2 stream %d was not closed cleanly: CANCEL (err 8)\nerror: %d bytes of body are still expected\nfetch-pack: unexpected disconnect while reading sideband packet\nfatal: early EOF", v.n(15), v.n(9000))
		}},
		{"remote ref", func(v *value) string {
			return fmt.Sprintf("fatal: couldn't find remote ref refs/heads/%s", v.branch())
		}},
	}},
	{"systemd and kernel", []kind{
		{"not started", func(v *value) string {
			return fmt.Sprintf("crawl@%d.service: Main process exited, code=exited, status=203/EXEC", v.n(64))
		}},
		{"ended", func(v *value) string {
			return fmt.Sprintf("crawl@%d.service: Main process exited, code=exited, status=1/FAILURE", v.n(64))
		}},
		{"too quickly", func(v *value) string {
			return fmt.Sprintf("crawl@%d.service: Scheduled restart job, restart counter is at %d.\ncrawl@%d.service: Start request repeated too quickly.", v.n(64), v.n(5), v.n(64))
		}},
		{"watchdog", func(v *value) string {
			return fmt.Sprintf("crawl@%d.service: Watchdog timeout (limit %s)!\ncrawl@%d.service: Killing process %d (worker) with signal SIGABRT.", v.n(64), v.one("30s", "1min", "3min 20s"), v.n(64), v.n(4000000))
		}},
		{"oom", func(v *value) string {
			return fmt.Sprintf("[%d.%06d] Out of memory: Killed process %d (worker) total-vm:%dkB, anon-rss:%dkB, file-rss:%dkB, shmem-rss:%dkB, UID:%d pgtables:%dkB oom_score_adj:%d",
				v.n(900000), v.IntN(1000000), v.n(90000), v.n(9000000), v.n(9000000), v.IntN(3)*4, v.IntN(2)*4, 1000+v.n(20), v.n(90000), v.IntN(1001))
		}},
		{"segfault", func(v *value) string {
			return fmt.Sprintf("worker[%d]: segfault at %s ip 00007f%s sp 00007f%s error 4 in libxml2.so.2.9.14[7f%s+%s000]", v.n(90000), v.one("0", "8", "7f"+v.hex(10)), v.hex(10), v.hex(10), v.hex(10), v.hex(3))
		}},
		{"disk", func(v *value) string {
			return fmt.Sprintf("blk_update_request: I/O error, dev %s, sector %d op 0x0:(READ) flags 0x%s phys_seg %d prio class %d", v.one("sda", "sdb", "nvme0n1", "vdc"), v.n(900000000), v.one("0", "80700", "84700"), v.n(64), v.IntN(3))
		}},
		{"hung", func(v *value) string {
			return fmt.Sprintf("INFO: task worker:%d blocked for more than %d seconds.\n      Not tainted 6.1.0-%d-amd64 #1 Debian 6.1.%d-1\n\"echo 0 > /proc/sys/kernel/hung_task_timeout_secs\" disables this message.", v.n(90000), v.n(8)*120, v.n(30), v.n(120))
		}},
	}},
	{"ldap", []kind{
		{"wrong password", func(v *value) string {
			return fmt.Sprintf("bind as %s: LDAP Result Code 49 \"Invalid Credentials\": 80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 52e, v4563", v.dn())
		}},
		{"account locked", func(v *value) string {
			return fmt.Sprintf("bind as %s: LDAP Result Code 49 \"Invalid Credentials\": 80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 775, v4563", v.dn())
		}},
		{"no object", func(v *value) string {
			return fmt.Sprintf("LDAP Result Code 32 \"No Such Object\": 0000208D: NameErr: DSID-0310028B, problem 2001 (NO_OBJECT), data 0, best match of:\n\t'%s'", v.dn())
		}},
		{"size limit", func(v *value) string {
			return fmt.Sprintf("search (&(objectClass=person)(uid=%s*)): LDAP Result Code 4 \"Size Limit Exceeded\": ", v.account())
		}},
		{"policy", func(v *value) string {
			return fmt.Sprintf("ldap.CONSTRAINT_VIOLATION: {'msgtype': 103, 'msgid': %d, 'result': 19, 'desc': 'Constraint violation', 'ctrls': [], 'info': 'Password fails quality checking policy'}", v.n(900))
		}},
		{"exists", func(v *value) string {
			return fmt.Sprintf("add %s: ldap.ALREADY_EXISTS: {'msgtype': 105, 'msgid': %d, 'result': 68, 'desc': 'Already exists', 'ctrls': []}", v.dn(), v.n(900))
		}},
		{"down", func(v *value) string {
			return fmt.Sprintf("ldaps://%s:636: ldap.SERVER_DOWN: {'result': -1, 'desc': \"Can't contact LDAP server\", 'errno': 107, 'ctrls': [], 'info': 'Transport endpoint is not connected'}", v.host())
		}},
		{"rights", func(v *value) string {
			return fmt.Sprintf("javax.naming.NoPermissionException: [LDAP: error code 50 - Insufficient Access Rights]; remaining name '%s'", v.dn())
		}},
	}},
	{"imap and smtp", []kind{
		{"password", func(v *value) string {
			return fmt.Sprintf("A%04d NO [AUTHENTICATIONFAILED] Authentication failed for %s@%s", v.n(9999), v.account(), v.host())
		}},
		{"full", func(v *value) string {
			return fmt.Sprintf("A%04d NO [OVERQUOTA] Quota exceeded (mailbox for user is full) (%.3f + %.3f secs).", v.n(9999), v.Float64(), v.Float64())
		}},
		{"mailbox", func(v *value) string {
			return fmt.Sprintf("A%04d NO [NONEXISTENT] Mailbox doesn't exist: INBOX.%s (%.3f + %.3f secs).", v.n(9999), v.word(), v.Float64(), v.Float64())
		}},
		{"listed", func(v *value) string {
			ip := v.ip()
			return fmt.Sprintf("554 5.7.1 Service unavailable; Client host [%s] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/%s", ip, ip)
		}},
		{"not authenticated", func(v *value) string {
			return fmt.Sprintf("550-5.7.26 Your email has been blocked because the sender is unauthenticated.\n550-5.7.26  SPF [%s] with ip: [%s] = did not pass\n550 5.7.26  %s-2002%s2%ssi%dejc.%d - gsmtp", v.host(), v.ip(), v.hex(15), v.hex(6), v.letters("abcdefgh", 2), v.n(9000000), v.n(999))
		}},
		{"too many connections", func(v *value) string {
			return fmt.Sprintf("421 4.7.0 %s Error: too many connections from %s", v.host(), v.ip())
		}},
	}},
	{"aws sdk", []kind{
		{"throughput", func(v *value) string {
			return fmt.Sprintf("operation error DynamoDB: BatchWriteItem, exceeded maximum number of attempts, %d, https response error StatusCode: 400, RequestID: %s, ProvisionedThroughputExceededException: The level of configured provisioned throughput for the table was exceeded.", v.n(10), v.key(52))
		}},
		{"condition", func(v *value) string {
			return fmt.Sprintf("operation error DynamoDB: PutItem, https response error StatusCode: 400, RequestID: %s, ConditionalCheckFailedException: The conditional request failed", v.key(52))
		}},
		{"not authorized", func(v *value) string {
			account := 100000000000 + v.Int64N(800000000000)
			return fmt.Sprintf("botocore.exceptions.ClientError: An error occurred (AccessDenied) when calling the SendMessage operation: User: arn:aws:sts::%d:assumed-role/crawler/i-0%s is not authorized to perform: sqs:sendmessage on resource: arn:aws:sqs:%s:%d:pages because no identity-based policy allows the sqs:sendmessage action", account, v.hex(16), v.region(), account)
		}},
		{"expired", func(v *value) string {
			return fmt.Sprintf("botocore.exceptions.ClientError: An error occurred (ExpiredToken) when calling the ReceiveMessage operation (reached max retries: %d): The security token included in the request is expired", v.n(9))
		}},
		{"receipt", func(v *value) string {
			return fmt.Sprintf("botocore.exceptions.ClientError: An error occurred (InvalidParameterValue) when calling the ChangeMessageVisibility operation: Value AQEB%s/%s+%s== for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.", v.mixed(40), v.mixed(60), v.mixed(30))
		}},
		{"metadata", func(v *value) string {
			return fmt.Sprintf("operation error SQS: SendMessage, get identity: get credentials: failed to refresh cached credentials, no EC2 IMDS role found, operation error ec2imds: GetMetadata, exceeded maximum number of attempts, %d, request send failed, Get \"http://169.254.169.254/latest/meta-data/iam/security-credentials/\": dial tcp 169.254.169.254:80: i/o timeout", v.n(5))
		}},
		{"lambda timeout", func(v *value) string {
			return fmt.Sprintf("%s %s Task timed out after %d.%02d seconds", v.time(), v.uuid(), v.n(900), v.IntN(100))
		}},
		{"lambda killed", func(v *value) string {
			return fmt.Sprintf("RequestId: %s Error: Runtime exited with error: signal: killed\nRuntime.ExitError", v.uuid())
		}},
	}},
	{"selenium", []kind{
		{"no element", func(v *value) string {
			return v.selenium("NoSuchElementException", `no such element: Unable to locate element: {"method":"css selector","selector":"#price > span"}`)
		}},
		{"stale", func(v *value) string {
			return v.selenium("StaleElementReferenceException", fmt.Sprintf("stale element reference: element f.%s.d.%s.e.%d not found in the current frame", v.key(32), v.key(32), v.n(900)))
		}},
		{"covered", func(v *value) string {
			return v.selenium("ElementClickInterceptedException", fmt.Sprintf("element click intercepted: Element <a href=%q>...</a> is not clickable at point (%d, %d). Other element would receive the click: <div class=\"consent\">...</div>", v.path(), v.n(1900), v.n(1000)))
		}},
		{"driver", func(v *value) string {
			return fmt.Sprintf("selenium.common.exceptions.SessionNotCreatedException: Message: session not created: This version of ChromeDriver only supports Chrome version %d\nCurrent browser version is %s with binary path /usr/bin/google-chrome\n", 100+v.n(30), v.chrome()) + v.frames()
		}},
		{"renderer", func(v *value) string {
			return v.selenium("TimeoutException", fmt.Sprintf("timeout: Timed out receiving message from renderer: %d.%03d", v.n(300), v.IntN(1000)))
		}},
		{"session gone", func(v *value) string {
			return v.selenium("InvalidSessionIdException", "invalid session id: session deleted as the browser has closed the connection")
		}},
		{"name", func(v *value) string {
			return v.selenium("WebDriverException", "unknown error: net::ERR_NAME_NOT_RESOLVED")
		}},
		{"proxy", func(v *value) string {
			return v.selenium("WebDriverException", "unknown error: net::ERR_PROXY_CONNECTION_FAILED")
		}},
	}},
	{"nginx", []kind{
		{"slow upstream", func(v *value) string {
			return v.nginx("upstream timed out (110: Connection timed out) while reading response header from upstream", true)
		}},
		{"refused", func(v *value) string {
			return v.nginx("connect() failed (111: Connection refused) while connecting to upstream", true)
		}},
		{"no upstream", func(v *value) string {
			return v.nginx("no live upstreams while connecting to upstream", true)
		}},
		{"closed", func(v *value) string {
			return v.nginx("upstream prematurely closed connection while reading response header from upstream", true)
		}},
		{"file", func(v *value) string {
			return v.nginx(fmt.Sprintf("open() %q failed (2: No such file or directory)", v.file()), false)
		}},
		{"body", func(v *value) string {
			return v.nginx(fmt.Sprintf("client intended to send too large body: %d bytes", v.n(90000000)), false)
		}},
		{"limit", func(v *value) string {
			return v.nginx(fmt.Sprintf("limiting requests, excess: %d.%03d by zone \"api\"", v.n(90), v.IntN(1000)), false)
		}},
		{"connections", func(v *value) string {
			return fmt.Sprintf("%s %02d:%02d:%02d [alert] %d#%d: *%d %d worker_connections are not enough", v.day("/"), v.IntN(24), v.IntN(60), v.IntN(60), v.n(90000), v.n(90000), v.n(9000000), 256*v.n(16))
		}},
	}},
	{"docker", []kind{
		{"name in use", func(v *value) string {
			return fmt.Sprintf("docker: Error response from daemon: Conflict. The container name \"/%s-%d\" is already in use by container %q. You have to remove (or rename) that container to be able to reuse that name.", v.repository(), v.n(40), v.hex(64))
		}},
		{"no manifest", func(v *value) string {
			return fmt.Sprintf("Error response from daemon: manifest for %s/%s:%s not found: manifest unknown: manifest unknown", v.host(), v.repository(), v.one("latest", "main", fmt.Sprintf("v%d.%d.%d", v.n(4), v.IntN(20), v.IntN(20)), v.hex(7)))
		}},
		{"port", func(v *value) string {
			return fmt.Sprintf("Error response from daemon: driver failed programming external connectivity on endpoint %s-%d (%s): Bind for 0.0.0.0:%d failed: port is already allocated", v.repository(), v.n(40), v.hex(64), v.port())
		}},
		{"executable", func(v *value) string {
			return "Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: \"/entrypoint.sh\": stat /entrypoint.sh: no such file or directory: unknown"
		}},
		{"no container", func(v *value) string {
			return fmt.Sprintf("Error response from daemon: No such container: %s", v.one(v.hex(12), v.hex(64), v.repository()))
		}},
		{"space", func(v *value) string {
			return fmt.Sprintf("failed to register layer: write %s: no space left on device", v.file())
		}},
		{"build", func(v *value) string {
			return fmt.Sprintf("#%d [%d/9] RUN npm ci\n#%d %d.%d Killed\nERROR: failed to solve: process \"/bin/sh -c npm ci\" did not complete successfully: exit code: 137", v.n(20), v.n(9), v.n(20), v.n(400), v.n(999))
		}},
	}},
	{"mongodb", []kind{
		{"duplicate", func(v *value) string {
			return fmt.Sprintf("E11000 duplicate key error collection: shop.pages index: url_1 dup key: { url: %q }", v.url())
		}},
		{"no primary", func(v *value) string {
			return fmt.Sprintf("server selection error: server selection timeout, current topology: { Type: ReplicaSetNoPrimary, Servers: [%s] }", strings.Join([]string{v.member(), v.member(), v.member()}[:2+v.IntN(2)], ", "))
		}},
		{"conflict", func(v *value) string {
			return fmt.Sprintf("(WriteConflict) WriteConflict error: this operation conflicted with another operation. Please retry your operation or multi-document transaction. lsid: %s, txnNumber: %d", v.uuid(), v.n(900))
		}},
		{"cursor", func(v *value) string {
			return fmt.Sprintf("(CursorNotFound) cursor id %d not found", v.Int64N(9000000000000000000))
		}},
		{"too large", func(v *value) string {
			size := 16793600 + v.n(90000000)
			return fmt.Sprintf("BSONObj size: %d (0x%X) is invalid. Size must be between 0 and 16793600(16MB) First element: _id: ObjectId('%s')", size, size, v.hex(24))
		}},
		{"validation", func(v *value) string {
			return fmt.Sprintf("WriteError({\"index\":%d,\"code\":121,\"errmsg\":\"Document failed validation\",\"errInfo\":{\"failingDocumentId\":{\"$oid\":%q}}})", v.IntN(1000), v.hex(24))
		}},
		{"timeout", func(v *value) string {
			return fmt.Sprintf("pymongo.errors.NetworkTimeout: %s:27017: timed out (configured timeouts: socketTimeoutMS: %d.0ms, connectTimeoutMS: 20000.0ms)", v.host(), v.n(60)*1000)
		}},
	}},
	{"oracle and sql server", []kind{
		{"unique", func(v *value) string {
			return fmt.Sprintf("ORA-00001: unique constraint (SHOP.ORDERS_PK) violated\nORA-06512: at \"SHOP.BOOKING\", line %d", v.n(900))
		}},
		{"deadlock", func(v *value) string {
			return fmt.Sprintf("ORA-00060: deadlock detected while waiting for resource\nORA-06512: at \"SHOP.BOOKING\", line %d", v.n(900))
		}},
		{"snapshot", func(v *value) string {
			return fmt.Sprintf("ORA-01555: snapshot too old: rollback segment number %d with name \"_SYSSMU%d_%d$\" too small", v.n(40), v.n(40), v.n(900000000))
		}},
		{"too long", func(v *value) string {
			return fmt.Sprintf("ORA-12899: value too large for column \"SHOP\".\"PAGES\".\"TITLE\" (actual: %d, maximum: 255)", 255+v.n(900))
		}},
		{"listener", func(v *value) string {
			return fmt.Sprintf("DPY-6005: cannot connect to database (CONNECTION_ID=%s==).\nDPY-6011: ORA-12541: no listener at host %s port 1521", v.mixed(22), v.host())
		}},
		{"victim", func(v *value) string {
			return fmt.Sprintf("Msg 1205, Level 13, State %d, Line %d\nTransaction (Process ID %d) was deadlocked on lock resources with another process and has been chosen as the deadlock victim. Rerun the transaction.", v.n(60), v.n(90), v.n(300))
		}},
		{"primary key", func(v *value) string {
			return fmt.Sprintf("Violation of PRIMARY KEY constraint 'PK_Orders'. Cannot insert duplicate key in object 'dbo.Orders'. The duplicate key value is (%s).", v.one(fmt.Sprint(v.n(900000)), fmt.Sprintf("%d, %s", v.n(900000), v.account())))
		}},
		{"truncated", func(v *value) string {
			return fmt.Sprintf("String or binary data would be truncated in table 'shop.dbo.Pages', column 'Title'. Truncated value: '%s'.", v.phrase())
		}},
		{"login", func(v *value) string {
			return fmt.Sprintf("mssql: login error: Login failed for user '%s'.", v.account())
		}},
	}},
}
