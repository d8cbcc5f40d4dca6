package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// nodeProgram is the Node.js that npm brought, for the peers want a newer one than Debian has; else the one in PATH.
func nodeProgram() string {
	platform := runtime.GOOS + "-" + strings.Replace(runtime.GOARCH, "amd64", "x64", 1)
	bin, err := filepath.Abs(filepath.Join("node_modules", "node-"+platform, "bin", "node"))
	if err == nil {
		if _, err := os.Stat(bin); err == nil {
			return bin
		}
	}
	return "node"
}

// node returns what measures a peer by one of our programs for Node.js: it gets its orders as JSON in its argument, and prints a
// figure a line.
func node(script, system string) func(context.Context, *server, results) error {
	return func(ctx context.Context, s *server, all results) error {
		name := strings.TrimSuffix(script, ".mjs")
		url, err := s.database(ctx, name)
		if err != nil {
			return err
		}
		orders, err := json.Marshal(map[string]any{"documents": *documents, "planned": *planned, "payload": *payload, "each": each.Milliseconds()})
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, nodeProgram(), filepath.Join("node", script), string(orders))
		cmd.Env, cmd.Stderr = append(os.Environ(), "DATABASE_URL="+url, "NO_LOG_SUCCESS=1"), os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var f figure
			if err := json.Unmarshal(lines.Bytes(), &f); err != nil || f.Figure == "" {
				fmt.Fprintln(os.Stderr, lines.Text()) // a word of the library
				continue
			}
			all.add(system, f)
			if system == graphile && f.Figure == drain { // it removes what is done, always
				f.Figure = gone
				all.add(system, f)
			}
		}
		if err := cmd.Wait(); err != nil {
			return err
		}
		return s.drop(ctx, name)
	}
}

// version is that of an npm package here.
func version(name string) string {
	var p struct{ Version string }
	text, err := os.ReadFile(filepath.Join("node_modules", name, "package.json"))
	if err != nil || json.Unmarshal(text, &p) != nil {
		return "unknown"
	}
	return p.Version
}

func nodeVersion() string {
	out, err := exec.Command(nodeProgram(), "--version").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "v")
}
