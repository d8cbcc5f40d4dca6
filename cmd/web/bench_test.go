package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/dbtest"
)

// left returns how many queues of benchmarks, and tokens for them, a database has.
func left(t *testing.T, url string) (queues, tokens int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	err = conn.QueryRow(t.Context(), `select (select count(*) from fetchq.queues where name like 'bench\_%'),
		(select count(*) from fetchq.tokens where revoked_at is null)`).Scan(&queues, &tokens)
	if err != nil {
		t.Fatal(err)
	}
	return queues, tokens
}

func TestBenchPrintsJSONAndLeavesNothing(t *testing.T) {
	t.Parallel()
	p, url := newPlace(t), dbtest.URL(t)
	p.set("DATABASE_URL", url)
	out := p.must("bench", "ingest", "together", "--json", "--raw", "--duration", "100ms", "--backlog", "1000", "--batch", "10")
	decoder := json.NewDecoder(strings.NewReader(out))
	var ran []string
	for decoder.More() {
		var r struct {
			Workload, By string
			Documents    int
			Rate         float64 `json:"documents_per_second"`
		}
		if err := decoder.Decode(&r); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if r.Documents == 0 || r.Rate <= 0 {
			t.Errorf("%+v did nothing", r)
		}
		ran = append(ran, r.Workload+" "+r.By)
	}
	if got := strings.Join(ran, ", "); got != "ingest raw, ingest sql, ingest http, drain raw, together http" {
		t.Errorf("it ran %s", got)
	}
	if queues, tokens := left(t, url); queues+tokens != 0 {
		t.Errorf("%d queues and %d tokens are left", queues, tokens)
	}
}

// TestBenchLeavesNothingWhenItIsInterrupted runs beside a server, and through it.
func TestBenchLeavesNothingWhenItIsInterrupted(t *testing.T) {
	t.Parallel()
	p, url := newPlace(t), dbtest.URL(t)
	p.set("DATABASE_URL", url)
	p.serve()
	token := p.must("token", "create", "--name", "me", "--rights", "read,push,work")
	for _, more := range [][]string{nil, {"--url", "http://" + p.addr, "--token", token}} {
		cmd := exec.Command(binary, append([]string{"bench", "drain", "ingest", "--by", "http", "--backlog", "1000", "--duration", "1m"}, more...)...)
		var said bytes.Buffer
		cmd.Env, cmd.Dir, cmd.Stderr = append(os.Environ(), p.env...), p.dir, &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(20 * time.Second)
		for queues := 0; queues == 0; queues, _ = left(t, url) {
			if time.Now().After(deadline) {
				t.Fatalf("no queue was made\n%s", &said)
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(300 * time.Millisecond) // in the middle of something; if not, less is tested
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil || !strings.Contains(said.String(), "fetchq: interrupted; the queues of the benchmark are gone") {
			t.Errorf("Ctrl-C ends with %v\n%s", err, &said)
		}
		if queues, tokens := left(t, url); queues != 0 || tokens != 1 {
			t.Errorf("%d queues and %d tokens are left", queues, tokens)
		}
	}
}

func TestBenchRefusesInClearWords(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for args, want := range map[string]string{
		"drian":                    `there is no workload "drian"; there are ingest,`,
		"--by psql":                `--by is "psql"; sql, http or both are wanted`,
		"ingest --batch 5000":      "--batch is 5000; 1 to 1000 are allowed for",
		"--url http://127.0.0.1:1": "--url and --token go together",
		"--url 127.0.0.1:1":        "--url is no address of a server",
		"--suite all":              `there is no suite "all"; there are docs, long, lists`,
		"--suite docs --hold":      "--suite has sizes of its own",
		"--suite docs mix":         `--suite is a list of workloads; leave out "mix"`,
		"--suite long --scale 2":   "--scale is 2; more than 0 and at most 1",
	} {
		_, said, code := p.command(append([]string{"bench"}, strings.Fields(args)...)...)
		if code != 1 || !strings.Contains(said, "fetchq: "+want) {
			t.Errorf("fetchq bench %s: exit code %d, %q; %q is wanted", args, code, said, want)
		}
	}
	if p.postmaster() != 0 {
		t.Error("a Postgres was started for what is refused")
	}
}

func TestBenchHelpIsShortAndHasExamples(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	text := p.must("bench", "--help")
	for _, want := range []string{"\n    drain ", "fetchq bench drain --raw", "--database-url"} {
		if !strings.Contains(text, want) {
			t.Errorf("the help lacks %q:\n%s", want, text)
		}
	}
	if lines := strings.Count(text, "\n"); lines > 90 || strings.Contains(text, "--proxies") {
		t.Errorf("the help has %d lines:\n%s", lines, text)
	}
}
