// Command start measures how long the program takes until it is ready: cold, with no cluster yet, and warm. It works in a
// temporary folder, with the product's defaults, and removes what it made.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

var program = flag.String("fetchq", "bin/fetchq", "the program; make build makes it")

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "start:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	dir, err := os.MkdirTemp("", "fetchq-start-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the user of Postgres searches it
		return err
	}
	var took [2]float64
	for n := range took {
		if took[n], err = start(ctx, dir); err != nil {
			return err
		}
	}
	fmt.Printf("Seconds to ready: cold (no cluster yet) %.2f, warm %.2f.\n", took[0], took[1])
	return nil
}

// start starts the program, returns how many seconds it took to say that it is ready, and stops it.
func start(ctx context.Context, dir string) (float64, error) {
	began := time.Now()
	cmd := exec.CommandContext(ctx, *program, "serve")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it stops its Postgres
	cmd.Env = append(os.Environ(), "DATABASE_URL=", "FETCHQ_LISTEN=127.0.0.1:0", "FETCHQ_DATA_DIR="+filepath.Join(dir, "data"), "FETCHQ_LOG_LEVEL=warn")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start %s (make build makes it): %w", *program, err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, "ready") {
		return 0, errors.Join(errors.New("the program did not become ready"), cmd.Wait())
	}
	took := time.Since(began).Seconds()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	return took, cmd.Wait()
}
