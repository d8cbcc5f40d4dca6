package archtest

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// mostLines is how long a file of code may be. Good ones have 60 to 200 lines.
const mostLines = 400

// long are the files that may be longer, each with its reason.
var long = map[string]string{
	"client/worker_test.go": "one scripted server and everything a worker does with it",
}

// limits are the files with a limit of their own.
var limits = map[string]int{"ARCHITECTURE.md": 200}

// code are the kinds of files that a person writes and reads as code.
var code = map[string]bool{".go": true, ".sql": true, ".sh": true, ".templ": true, ".js": true, ".css": true, "": true}

// checkLength keeps files short enough to be read in one go.
func checkLength(s source) []string {
	most := limits[s.path]
	made := strings.HasSuffix(s.path, "_templ.go") // by templ, from what a person reads
	if most == 0 && !made && code[path.Ext(s.path)] && !strings.Contains(s.path, "testdata/") && long[s.path] == "" {
		most = mostLines
	}
	lines := strings.Count(s.text, "\n")
	if most == 0 || lines <= most {
		return nil
	}
	return []string{fmt.Sprintf("%d lines, at most %d: split it by its nouns, or name it in internal/archtest with the reason", lines, most)}
}

// locks are files of digests, in which any run of letters may come up.
func (s source) locks() bool {
	return path.Base(s.path) == "go.sum" || path.Base(s.path) == "package-lock.json"
}

// The brackets keep these patterns from finding themselves.
var (
	marker   = regexp.MustCompile(`\b([T]ODO|[F]IXME|[X]XX|[H]ACK)\b`)
	machine  = regexp.MustCompile("(^|[\\s\"'`=:(])/([w]ork|[r]oot|[h]ome|[U]sers)/\\w")
	registry = regexp.MustCompile(`(?i)\b([a-z0-9-]+\.)*(npmjs\.(org|com)|yarnpkg\.com|npmmirror\.com|proxy\.golang\.org|sum\.golang\.org|goproxy\.\w+|deb\.debian\.org|pypi\.org|ghcr\.io|docker\.io)\b|"resolved"\s*:`)
)

// grep returns the numbers of the lines that a pattern matches, with why they may not.
func grep(s source, pattern *regexp.Regexp, why string) []string {
	var wrong []string
	for n, line := range strings.Split(s.text, "\n") {
		if pattern.MatchString(line) {
			wrong = append(wrong, fmt.Sprintf("line %d: %s", n+1, why))
		}
	}
	return wrong
}

// checkMarkers wants what is left to do done, or in an issue.
func checkMarkers(s source) []string {
	if s.locks() {
		return nil
	}
	return grep(s, marker, "something is left to do; do it, or write an issue")
}

// checkMachine finds folders of the machine on which a file was written.
func checkMachine(s source) []string {
	return grep(s, machine, "a path that exists on one machine only; write it from the root of the project")
}

// checkRegistry keeps the hosts that packages come from out of the tree: whoever builds it has their own.
func checkRegistry(s source) []string {
	return grep(s, registry, "the host of a package registry; the lock files hold digests, and whoever builds has their own host")
}

// unescaped are the ways past templ's escaping.
var unescaped = regexp.MustCompile(`templ\.(SafeURL|Raw|SafeCSS|SafeCSSProperty|SafeScript|SafeScriptInline|JSUnsafeFuncCall|JSExpression)\b`)

// checkEscaping wants every text and link of a page to go through templ's escaping.
func checkEscaping(s source) []string {
	page := path.Ext(s.path) == ".templ" || withinAny(s.dir(), []string{"internal/web", "web"})
	if !page || s.isTest() || strings.HasSuffix(s.path, "_templ.go") {
		return nil
	}
	return grep(s, unescaped, "this is a way past the escaping of templates; give templ the text itself")
}
