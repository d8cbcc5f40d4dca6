package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/web"
)

const goldenPermissions = "testdata/permissions.golden"

// siteMethods are tried on every path.
var siteMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}

// sitePaths fills the parameters of a path with what is there.
type sitePaths struct{ person string }

var parameter = regexp.MustCompile(`:[a-z_]+`)

func (f sitePaths) fill(path string) string {
	return strings.TrimSuffix(parameter.ReplaceAllStringFunc(path, func(p string) string {
		switch {
		case p == ":queue":
			return "pages"
		case p == ":subject":
			return "x"
		case p == ":action":
			return "complete"
		case p == ":id" && strings.Contains(path, "/people/"):
			return f.person
		case p == ":id":
			return "1"
		}
		return strings.Repeat("A", 43) // a token of a link that nobody made
	}), "*")
}

// allowed says whether an answer lets the caller in, whatever it makes of the rest of the request.
func allowed(status int, to string) bool {
	refused := to == "/login" || strings.HasPrefix(to, "/login?next=")
	return status != http.StatusUnauthorized && status != http.StatusForbidden && !refused
}

// absent says that a path takes no such method.
func absent(status int) bool {
	return status == http.StatusMethodNotAllowed || status == http.StatusNotImplemented
}

// permissionSite is a site with a queue, a document, a user of each role, and one more to whom things are done.
func permissionSite(t *testing.T) (s *site, who map[string]auth.User, paths sitePaths) {
	t.Helper()
	s = newSite(t, "")
	ctx := context.Background()
	if _, _, err := s.engine.Put(ctx, "pages", []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.engine.Push(ctx, "pages", []queue.Push{{Subject: "x"}}, queue.Ignore); err != nil {
		t.Fatal(err)
	}
	who = map[string]auth.User{}
	for _, role := range auth.Roles {
		who[string(role)] = s.user(string(role)+"@example.org", role)
	}
	spare, err := s.users.Create(ctx, "spare@example.org", "", auth.RoleViewer)
	if err != nil {
		t.Fatal(err)
	}
	return s, who, sitePaths{spare.ID.String()}
}

// TestPermissions walks every route × role or right × method with real requests, against the golden table. A route that is
// not in the table fails it: run it with -update, and look at what changed.
func TestPermissions(t *testing.T) {
	t.Parallel()
	s, who, paths := permissionSite(t)
	lines := slices.Concat(pageLines(t, s, who, paths), callLines(t, s, who, paths))
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		if err := os.MkdirAll(filepath.Dir(goldenPermissions), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(goldenPermissions, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(goldenPermissions)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("who may what is not as in %s (-want +got); if it should be so, run the test with -update:\n%s", goldenPermissions, diff)
	}
}

// pageLines asks for every page as everybody, and with a token in place of a session.
func pageLines(t *testing.T, s *site, who map[string]auth.User, paths sitePaths) []string {
	t.Helper()
	_, token, err := s.tokens.Create(context.Background(), "pages", []string{auth.Admin}, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	columns := []string{"nobody", "viewer", "operator", "admin", "token"}
	lines := []string{"# pages: who is let in, by route; the token has the right admin"}
	byPath := map[string][]string{}
	routes := slices.Clone(s.pages.Routes())
	slices.SortFunc(routes, func(a, b web.Route) int { return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method) })
	for _, r := range routes {
		byPath[r.Path] = append(byPath[r.Path], r.Method)
		line := fmt.Sprintf("%-6s %-42s", r.Method, r.Path)
		for _, column := range columns {
			b, headers := s.nobody(), []string{"Sec-Fetch-Site", "same-origin"}
			switch user, known := who[column]; {
			case known:
				b = s.enter(user) // anew: some routes end it
			case column == "token":
				headers = append(headers, "Authorization", "Bearer "+token)
			}
			status, to := b.knock(r.Method, paths.fill(r.Path)+"?subject=x", pageForm(r.Path), headers...)
			if absent(status) || status >= 500 {
				t.Errorf("%s %s answers %d", r.Method, r.Path, status)
			}
			in := allowed(status, to)
			if role := auth.Role(column); slices.Contains(auth.Roles, role) && in != (r.Open || r.Needs == "" || role.May(r.Needs)) {
				t.Errorf("%s %s as %s: %d, against the table of permissions", r.Method, r.Path, column, status)
			}
			line += " " + siteWord(column, in)
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	for path, methods := range byPath {
		for _, method := range siteMethods {
			if slices.Contains(methods, method) || method == http.MethodHead && slices.Contains(methods, http.MethodGet) {
				continue // HEAD is the GET of the same route, behind the same guard
			}
			if status, _ := s.enter(who["admin"]).knock(method, paths.fill(path), nil, "Sec-Fetch-Site", "same-origin"); status < 400 || status >= 500 {
				t.Errorf("%s %s is no route, and answers %d", method, path, status)
			}
		}
	}
	return lines
}

// pageForm is what a form of a path must hold so that the answer tells whether one was let in.
func pageForm(path string) url.Values {
	if path == "/login" {
		return url.Values{"email": {"admin@example.org"}, "password": {sitePassword}}
	}
	return nil
}

// callLines makes every call of the API with each right, with a session in place of a token, and with nothing.
func callLines(t *testing.T, s *site, who map[string]auth.User, paths sitePaths) []string {
	t.Helper()
	tokens := map[string]string{}
	for _, right := range auth.Rights {
		_, text, err := s.tokens.Create(context.Background(), right, []string{right}, nil, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		tokens[right] = text
	}
	lines := []string{"", "# the API: which right lets a token in, by call; the session is an admin's"}
	add := func(method, path, note, kind, body string) {
		query := ""
		if !strings.Contains(path, ":subject") {
			query = "?subject=x" // some calls want it there, and say so before they ask who calls
		}
		line := fmt.Sprintf("%-6s %-70s", method, path+note)
		for _, column := range append([]string{"nobody", "session"}, auth.Rights...) {
			b, headers := s.nobody(), []string{"Content-Type", kind}
			if column == "session" {
				b = s.enter(who["admin"])
			} else if text := tokens[column]; text != "" {
				headers = append(headers, "Authorization", "Bearer "+text)
			}
			status := b.call(method, paths.fill(path)+query, body, headers...)
			if absent(status) || status >= 500 {
				t.Errorf("%s %s answers %d", method, path, status)
			}
			line += " " + siteWord(column, allowed(status, ""))
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	for _, r := range s.calls.Routes() {
		method, path := r[0], r[1]
		if !strings.HasPrefix(method, "echo_") {
			add(method, path, "", "application/json", "{}")
		}
		switch {
		case strings.HasSuffix(path, "/:action"):
			add(method, path, " with a lease", "application/json", `{"lease":1}`)
		case method == http.MethodPost && strings.HasSuffix(path, "/documents"):
			add(method, path, " as NDJSON", "application/x-ndjson", "")
		}
	}
	return lines
}

func siteWord(column string, in bool) string {
	if in {
		return column
	}
	return strings.Repeat("-", len(column))
}

// knock makes a request and looks at how it is answered, not at what: some answers never end.
func (b *siteBrowser) knock(method, path string, form url.Values, headers ...string) (status int, to string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	resp := b.send(ctx, method, path, form, headers...)
	resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Location")
}

// call is knock with a body of another kind.
func (b *siteBrowser) call(method, path, body string, headers ...string) int {
	b.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	for _, k := range b.cookies {
		req.AddCookie(&http.Cookie{Name: k.Name, Value: k.Value})
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
