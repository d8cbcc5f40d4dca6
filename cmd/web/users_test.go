package main

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/dbtest"
)

const password = "correct horse battery"

// visitor is somebody's browser: it keeps cookies and follows redirects.
type visitor struct {
	t *testing.T
	http.Client
}

func newVisitor(t *testing.T) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, http.Client{Jar: jar}}
}

// post sends a form and returns the status and the path where it led.
func (v *visitor) post(to string, form url.Values) (status int, path string) {
	v.t.Helper()
	resp, err := v.PostForm(to, form)
	if err != nil {
		v.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode, resp.Request.URL.Path
}

// signIn says whether an e-mail address and a password are let in.
func (p *place) signIn(email, password string) bool {
	p.t.Helper()
	status, path := newVisitor(p.t).post("http://"+p.addr+"/login", url.Values{"email": {email}, "password": {password}})
	return status == http.StatusOK && path == "/"
}

func TestTheSetupLinkIsTheSecondLineWhereNobodyCanSignIn(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.set("DATABASE_URL", dbtest.URL(t))
	r := p.serve()
	link := regexp.MustCompile(`^nobody can sign in yet; make the first admin at (http://` + regexp.QuoteMeta(p.addr) + `/setup/[\w-]{43})\n$`)
	found := link.FindStringSubmatch(r.next())
	if found == nil {
		t.Fatalf("the second line is no link: %s", r.stderr)
	}
	again := p.must("user", "setup")
	if !strings.HasPrefix(again, "http://"+p.addr+"/setup/") || again == found[1] {
		t.Errorf("user setup printed %q", again)
	}
	form := url.Values{"email": {"ann@example.org"}, "name": {"Ann"}, "password": {password}}
	v := newVisitor(t)
	if status, path := v.post(found[1], form); status != http.StatusOK || path != "/" {
		t.Fatalf("the link leads to %d at %s", status, path)
	}
	if status, _ := newVisitor(t).post(again, form); status != http.StatusNotFound {
		t.Errorf("the other link after that: %d", status)
	}
	if !p.signIn("Ann@example.org", password) {
		t.Error("the first admin cannot sign in")
	}
	if _, said, code := p.command("user", "setup"); code == 0 || !strings.Contains(said, "there are users already") {
		t.Errorf("user setup: exit code %d, %s", code, said)
	}
	r.signal(syscall.SIGINT)
	if strings.Contains(r.stderr.String(), strings.TrimPrefix(found[1], "http://"+p.addr+"/setup/")) {
		t.Error("the link stands in the log")
	}
	r = p.serve()
	r.signal(syscall.SIGINT)
	if line := r.next(); strings.Contains(line, "/setup/") {
		t.Errorf("with users there, the second line is %q", line)
	}
}

func TestSettingsMakeTheFirstAdmin(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.set("DATABASE_URL", dbtest.URL(t))
	p.set("FETCHQ_ADMIN_EMAIL", "ann@example.org")
	p.set("FETCHQ_ADMIN_PASSWORD", "short")
	if _, said, code := p.command("serve"); code == 0 || !strings.Contains(said, "password has 5 characters") {
		t.Errorf("a short password: exit code %d, %s", code, said)
	}
	p.set("FETCHQ_ADMIN_PASSWORD", password)
	r := p.serve()
	if !p.signIn("ann@example.org", password) {
		t.Error("the admin cannot sign in")
	}
	r.signal(syscall.SIGINT)
	if line := r.next(); strings.Contains(line, "/setup/") || strings.Contains(r.stderr.String(), password) {
		t.Errorf("it said %q and %s", line, r.stderr)
	}
}

func TestUserCommandsBesideARunningServer(t *testing.T) {
	if testing.Short() {
		t.Skip("a program with a Postgres of its own")
	}
	t.Parallel()
	p := newPlace(t)
	p.set("FETCHQ_ADMIN_EMAIL", "ann@example.org")
	p.set("FETCHQ_ADMIN_PASSWORD", password)
	r := p.serve()
	link := p.must("user", "create", "--email", "bob@example.org", "--name", "Bob", "--role", "operator")
	if !regexp.MustCompile(`^http://` + regexp.QuoteMeta(p.addr) + `/reset/[\w-]{43}$`).MatchString(link) {
		t.Fatalf("user create printed %q", link)
	}
	if out := p.must("user", "list"); !strings.Contains(out, "bob@example.org  Bob   operator  all     waits for the link") || !strings.Contains(out, "ann@example.org") {
		t.Errorf("user list:\n%s", out)
	}
	if status, path := newVisitor(t).post(link, url.Values{"password": {password}}); status != http.StatusOK || path != "/" {
		t.Errorf("the link leads to %d at %s", status, path)
	}
	reset := p.must("user", "reset", "BOB@example.org")
	if !p.signIn("bob@example.org", password) {
		t.Error("the password from before does not work while the link is not used")
	}
	if info, err := os.Stat(p.data("secret.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key beside the data: %v, %v", info, err)
	}
	p.sql(p.must("db-url"), `insert into fetchq.second_factors (user_id, secret, confirmed_at) select id, '', now() from fetchq.users where email = 'bob@example.org'`)
	if p.signIn("bob@example.org", password) {
		t.Error("the second factor holds no longer than until there is a link")
	}
	if status, _ := newVisitor(t).post(reset, url.Values{"password": {"another good password"}}); status != http.StatusOK {
		t.Errorf("the reset leads to %d", status)
	}
	if p.signIn("bob@example.org", password) || !p.signIn("bob@example.org", "another good password") {
		t.Error("the reset changed nothing")
	}
	p.must("user", "role", "bob@example.org", "viewer")
	p.must("user", "disable", "bob@example.org")
	p.must("user", "queues", "bob@example.org", "pages", "shop_*")
	if out := p.must("user", "list"); !regexp.MustCompile(`bob@example\.org  Bob   viewer +pages, ?shop_\* +disabled`).MatchString(out) {
		t.Errorf("user list:\n%s", out)
	}
	if p.signIn("bob@example.org", "another good password") {
		t.Error("a disabled user signs in")
	}
	p.must("user", "enable", "bob@example.org")
	if !p.signIn("bob@example.org", "another good password") {
		t.Error("an enabled user cannot sign in")
	}
	p.set("FETCHQ_BASE_URL", "https://queue.example.org/")
	if link := p.must("user", "reset", "bob@example.org"); !strings.HasPrefix(link, "https://queue.example.org/reset/") {
		t.Errorf("with a base address: %q", link)
	}
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"user", "reset", "nobody@example.org"}, "no such user"}, {[]string{"user", "disable", "ann@example.org"}, "the last admin"},
		{[]string{"user", "role", "ann@example.org", "viewer"}, "the last admin"}, {[]string{"user", "role", "bob@example.org", "root"}, "is no role"},
		{[]string{"user", "create", "--email", "bob@example.org", "--role", "viewer"}, "exists"},
		{[]string{"user", "create", "--email", "bob", "--role", "viewer"}, "an e-mail address like"},
	} {
		if out, said, code := p.command(tt.args...); code == 0 || out != "" || !strings.Contains(said, tt.says) {
			t.Errorf("%v: exit code %d, %q, %s", tt.args, code, out, said)
		}
	}
	if said := p.must("doctor"); !strings.Contains(said, "audit log: ") {
		t.Errorf("doctor says nothing of the audit log: %s", said)
	}
	p.toldByTheShell("user.create bob@example.org", "password.link bob@example.org", "user.role bob@example.org", "user.disable bob@example.org",
		"user.enable bob@example.org", "database.open ")
	r.signal(syscall.SIGINT)
}

// toldByTheShell wants lines of commands in the audit log, each as what and to what.
func (p *place) toldByTheShell(wants ...string) {
	p.t.Helper()
	conn := p.connect()
	rows, err := conn.Query(p.t.Context(), `select action || ' ' || target from fetchq_audit.lines where actor_kind = 'shell' and actor <> '' and outcome = 'done'`)
	if err != nil {
		p.t.Fatal(err)
	}
	told, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		p.t.Fatal(err)
	}
	for _, want := range wants {
		if !slices.Contains(told, want) {
			p.t.Errorf("the audit log does not say %q: %q", want, told)
		}
	}
}
