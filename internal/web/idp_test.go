package web_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/provider"
	"github.com/fetchq/server/internal/web"
)

// idpDir has the OpenID provider of test/oidc, once it is built.
var idpDir string

func TestMain(m *testing.M) {
	code := m.Run()
	if idpDir != "" {
		_ = os.RemoveAll(idpDir)
	}
	os.Exit(code) //nolint:forbidigo // as a TestMain does
}

var idpProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fetchq-oidc-")
	if err != nil {
		return "", err
	}
	idpDir = dir
	build := exec.CommandContext(context.Background(), "go", "build", "-o", filepath.Join(dir, "oidc"), ".")
	build.Dir = filepath.Join("..", "..", "test", "oidc")
	if out, err := build.CombinedOutput(); err != nil {
		return "", &exec.Error{Name: string(out), Err: err}
	}
	return filepath.Join(dir, "oidc"), nil
})

// idp is a running OpenID provider, behind a front through which all of its answers go: a test may change them, or take it away.
type idp struct {
	t     *testing.T
	url   string // its issuer
	front *httptest.Server

	mu    sync.Mutex
	away  bool
	token string // stands in the place of every ID token; "": none does
}

const (
	idpBase     = "https://queue.example.org"
	idpRedirect = idpBase + web.CallbackPath
)

// newIDP starts a provider of the test's own.
func newIDP(t *testing.T) *idp {
	t.Helper()
	if testing.Short() {
		t.Skip("builds an OpenID provider, which takes a minute the first time")
	}
	program, err := idpProgram()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("NOT TESTED: the OpenID provider cannot be built: " + err.Error())
	}
	i := &idp{t: t}
	behind := &url.URL{Scheme: "http"}
	way := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(behind); r.Out.Host = r.In.Host },
		ModifyResponse: i.change,
	}
	i.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		away := i.away
		i.mu.Unlock()
		if away {
			panic(http.ErrAbortHandler)
		}
		way.ServeHTTP(w, r)
	}))
	i.url = i.front.URL
	cmd := exec.CommandContext(context.Background(), program, "-issuer", i.url, "-redirect", idpRedirect)
	cmd.Stderr = os.Stderr
	stop, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		i.front.Close()
		_ = stop.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	behind.Host = strings.TrimSpace(line)
	return i
}

// change puts another ID token into the answers in which there is one.
func (i *idp) change(resp *http.Response) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.token == "" || resp.Request.URL.Path != "/oauth/token" {
		return nil
	}
	answer := map[string]any{}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	answer["id_token"] = i.token
	text, err := json.Marshal(answer)
	resp.Body = io.NopCloser(bytes.NewReader(text))
	resp.ContentLength = int64(len(text))
	resp.Header.Set("Content-Length", strconv.Itoa(len(text)))
	return err
}

// set says whether the provider is away, and which token stands in the place of each.
func (i *idp) set(away bool, token string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.away, i.token = away, token
}

// somebody is a person at the provider.
type somebody struct {
	Email    string   `json:"email"`
	Verified bool     `json:"verified"`
	Name     string   `json:"name"`
	Groups   []string `json:"groups"`
	InToken  bool     `json:"in_token"`
}

// knows makes or changes a person at the provider.
func (i *idp) knows(name string, who somebody) {
	i.t.Helper()
	text, err := json.Marshal(who)
	if err != nil {
		i.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(i.t.Context(), http.MethodPut, i.url+"/people/"+name, bytes.NewReader(text))
	if err != nil {
		i.t.Fatal(err)
	}
	i.do(req)
}

// do makes a request and returns where it leads, and what it says.
func (i *idp) do(req *http.Request) (to, body string) {
	i.t.Helper()
	client := http.Client{Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		i.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= http.StatusBadRequest {
		i.t.Fatalf("%s %s: %d %s %v", req.Method, req.URL, resp.StatusCode, text, err)
	}
	return resp.Header.Get("Location"), string(text)
}

// signIn signs somebody in at the provider, from where the site leads, and returns where the provider leads.
func (i *idp) signIn(to, name string) *url.URL {
	i.t.Helper()
	get := func(to string) string {
		i.t.Helper()
		if strings.HasPrefix(to, "/") {
			to = i.url + to
		}
		req, err := http.NewRequestWithContext(i.t.Context(), http.MethodGet, to, nil)
		if err != nil {
			i.t.Fatal(err)
		}
		to, _ = i.do(req)
		return to
	}
	_, id, ok := strings.Cut(get(to), "authRequestID=")
	if !ok {
		i.t.Fatalf("the provider asks for no name at %s", to)
	}
	form := url.Values{"id": {id}, "username": {name}}
	req, err := http.NewRequestWithContext(i.t.Context(), http.MethodPost, i.url+"/login/username", strings.NewReader(form.Encode()))
	if err != nil {
		i.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	next, _ := i.do(req)
	back, err := url.Parse(get(next))
	if err != nil || back.Scheme+"://"+back.Host+back.Path != idpRedirect {
		i.t.Fatalf("the provider leads to %s, %v", back, err)
	}
	return back
}

// tokenFor is an ID token that the provider made for a client and a nonce.
func (i *idp) tokenFor(client, secret, nonce, name string) string {
	i.t.Helper()
	ask := url.Values{"client_id": {client}, "redirect_uri": {idpRedirect}, "response_type": {"code"}, "scope": {"openid email profile"}, "nonce": {nonce}, "state": {"x"}}
	back := i.signIn(i.url+"/authorize?"+ask.Encode(), name)
	form := url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {idpRedirect}}
	req, err := http.NewRequestWithContext(i.t.Context(), http.MethodPost, i.url+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		i.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(client), url.QueryEscape(secret))
	_, body := i.do(req)
	var answer struct {
		Token string `json:"id_token"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Token == "" {
		i.t.Fatalf("no token: %s %v", body, err)
	}
	return answer.Token
}

// site is one whose people the provider signs in.
func (i *idp) site(e auth.Entrance) *site {
	i.t.Helper()
	if e.Roles == nil {
		e.Roles = map[string]auth.Role{"ops": auth.RoleOperator, "admins": auth.RoleAdmin}
	}
	return newSite(i.t, idpBase, func(o *web.Options) {
		o.Entrance = e
		o.Provider = provider.New(provider.Options{
			Issuer: i.url, ClientID: "fetchq", ClientSecret: "the secret of fetchq", Name: "Acme", Groups: "groups", Scopes: []string{"profile", "email"},
			Redirect: idpRedirect, Log: o.Log, Now: time.Now,
		})
	})
}

// by signs somebody in at the provider and returns the path by which the browser comes back.
func (b *siteBrowser) by(i *idp, name string) string {
	b.t.Helper()
	return i.signIn(b.get("/login/provider?next=%2Fqueues").must(b.t, http.StatusSeeOther).to(), name).RequestURI()
}
