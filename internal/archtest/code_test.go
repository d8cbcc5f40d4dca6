package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
)

// readsEnvironment are the calls that read a variable. os.Environ is none of them: it hands everything on to a child.
var readsEnvironment = map[string]bool{
	"os.Getenv": true, "os.LookupEnv": true, "os.ExpandEnv": true, "syscall.Getenv": true,
}

// checkEnvironment lets only internal/config read the environment. Examples are programs of their own.
func checkEnvironment(s source) []string {
	if !s.program() || s.dir() == "internal/config" || within(s.dir(), "examples") {
		return nil
	}
	var wrong []string
	for _, use := range s.used() {
		if readsEnvironment[use] {
			wrong = append(wrong, use+" reads the environment, which only internal/config does; add a setting there")
		}
	}
	return wrong
}

var readsClock = map[string]bool{"time.Now": true, "time.Since": true, "time.Until": true}

// clocks are the files below app that read this machine's clock, each with its reason.
var clocks = map[string]string{}

// checkClock keeps this machine's clock out of everything below app: what happens in a queue happens by the clock of
// the database, and tests move time by argument.
func checkClock(s source) []string {
	below := within(s.dir(), "internal") && s.dir() != "internal/app" && s.dir() != "internal/clock"
	if !s.program() || !below || clocks[s.path] != "" {
		return nil
	}
	var wrong []string
	for _, use := range s.used() {
		if readsClock[use] {
			wrong = append(wrong, use+" below app; take the time as an argument, from the database or from internal/clock")
		}
	}
	return wrong
}

// constructed are the packages whose New makes a part of the running program.
var constructed = map[string]bool{
	"internal/api": true, "internal/backup": true, "internal/catalog": true, "internal/maintenance": true,
	"internal/metrics": true, "internal/operations": true, "internal/provider": true, "internal/queue": true, "internal/scrape": true, "internal/web": true,
}

// checkConstructors lets only internal/app put the program together.
func checkConstructors(s source) []string {
	if !s.program() || s.dir() == "internal/app" {
		return nil
	}
	var wrong []string
	for _, use := range s.used() {
		pkg, isNew := strings.CutSuffix(strings.TrimPrefix(use, module+"/"), ".New")
		if isNew && constructed[pkg] {
			wrong = append(wrong, pkg+".New is called; only internal/app constructs, take it from there")
		}
	}
	return wrong
}

// ownsSQL are the folders in which SQL text stands. The crawler counts in the database what the program says; the benchmarks
// measure the barest SQL beside the program.
var ownsSQL = []string{
	"internal/audit", "internal/auth", "internal/backup", "internal/catalog", "internal/charts", "internal/database", "internal/maintenance", "internal/metrics",
	"internal/operations", "internal/queue", "migrations", "examples/crawler", "internal/bench", "bench/peers",
}

// statement is how SQL text begins. Its words are also words of messages, so that each wants what follows it in SQL.
var statement = regexp.MustCompile(`(?is)^\s*(` + strings.Join([]string{
	`select\s.*\sfrom\s`, `select\s+[\w.]+\s*\(`, `select\s+\d+\s*;?$`, `insert\s+into\s`, `update\s+\S+\s+set\s`, `delete\s+from\s`,
	`with\s+(recursive\s+)?\w+\s+as\s+((not\s+)?materialized\s+)?\(`, `merge\s+into\s`,
	`(create|alter|drop)\s+(table|schema|role|user|database|index|function|type|view|extension|tablespace)\s+[^\s:]`,
	`truncate\s+(table\s|\S+\.\S)`, `copy\s+\S+\s*(\(|from\s|to\s)`, `(un)?listen\s+\S+$`, `notify\s+\w+\s*(,|$)`, `reindex\s`,
	`vacuum(\s*\(|\s+\S+\.\S|$)`, `set\s+local\s`, `show\s+\w+_\w+$`,
}, "|") + `)`)

// checkSQL keeps SQL text with the package that owns the noun.
func checkSQL(s source) []string {
	if !s.program() || withinAny(s.dir(), ownsSQL) {
		return nil
	}
	var wrong []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		literal, ok := n.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return true
		}
		if text, err := strconv.Unquote(literal.Value); err == nil && statement.MatchString(text) {
			first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
			wrong = append(wrong, fmt.Sprintf("%q is SQL; it stands in migrations or in the package that owns the noun", first))
		}
		return true
	})
	return wrong
}
