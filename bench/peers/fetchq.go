package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// measureFetchq runs fetchq bench on the server, with the raw limits.
func measureFetchq(ctx context.Context, s *server, all results) error {
	backlog, ahead, size, drained := fmt.Sprint(*documents), fmt.Sprint(*planned), fmt.Sprint(*batch), "60s"
	for _, m := range []struct {
		workload string
		args     []string
	}{
		{ingest, []string{"ingest", "--batch", "1000", "--connections", "8"}},
		{single, []string{"ingest", "--batch", "1", "--connections", "8"}},
		{drain, []string{"drain", "--batch", size, "--connections", "8", "--backlog", backlog, "--duration", drained}},
		{held, []string{"drain", "--batch", size, "--connections", "8", "--backlog", backlog, "--duration", drained, "--hold"}},
		{gone, []string{"discard", "--batch", size, "--connections", "8", "--backlog", backlog, "--duration", drained}},
		{one, []string{"drain", "--batch", "1", "--connections", "8", "--backlog", backlog}},
		{pick, []string{"pick", "--backlog", backlog}},
		{later, []string{"pick", "--backlog", backlog, "--planned", ahead}},
		{empty, []string{"empty", "--planned", ahead}},
		{wait, []string{"wait", "--by", "http"}},
	} {
		args := append([]string{"bench", "--json", "--raw", "--payload", fmt.Sprint(*payload)}, m.args...)
		if !strings.Contains(strings.Join(m.args, " "), "--duration") {
			args = append(args, "--duration", each.String())
		}
		out, err := s.fetchq(ctx, args...)
		if err != nil {
			return err
		}
		decoder := json.NewDecoder(bytes.NewReader(out))
		for decoder.More() {
			var r struct {
				By   string
				Rate float64 `json:"documents_per_second"`
				P50  float64 `json:"p50_ms"`
				P99  float64 `json:"p99_ms"`
			}
			if err := decoder.Decode(&r); err != nil {
				return fmt.Errorf("read what fetchq bench printed: %w", err)
			}
			system := map[string]string{"raw": raw, "sql": bySQL, "http": byHTTP}[r.By]
			all.add(system, figure{Figure: m.workload, Rate: r.Rate, P50: r.P50, P99: r.P99})
			if m.workload == ingest { // subjects are unique anyway, also in the table of the raw limit
				all.add(system, figure{Figure: unique, Rate: r.Rate})
			}
		}
	}
	return nil
}

// fetchq runs a command of the program with the server as its database.
func (s *server) fetchq(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, *program, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it drops its queues
	cmd.Env, cmd.Stderr = append(os.Environ(), "DATABASE_URL="+s.pg.URL(), "FETCHQ_LOG_LEVEL=warn"), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("fetchq %s: %w", strings.Join(args, " "), err)
	}
	return out, nil
}
