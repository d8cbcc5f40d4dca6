// Package image goes through the Dockerfile without Docker: it copies what each stage copies, runs each make step of a stage in
// a folder of its own, and starts the program as the last stage would, with its health check.
package image

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// step is an instruction of a Dockerfile: its word, and what follows.
type step struct{ word, rest string }

// stage is a part of a Dockerfile from one FROM to the next.
type stage struct {
	name  string
	steps []step
}

func readDockerfile(t *testing.T, path string) []stage {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var stages []stage
	for line := range strings.SplitSeq(strings.ReplaceAll(string(text), "\\\n", " "), "\n") {
		line = strings.TrimSpace(line)
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case word == "FROM":
			_, name, _ := strings.Cut(rest, " AS ")
			stages = append(stages, stage{name: name})
		default:
			last := &stages[len(stages)-1]
			last.steps = append(last.steps, step{word, strings.TrimSpace(rest)})
		}
	}
	return stages
}

// build is a run through a Dockerfile: each stage has a folder that stands for its root.
type build struct {
	t       *testing.T
	context string            // the files that are sent to Docker
	roots   map[string]string // by the name of the stage
}

// run carries out the steps of a stage; the working directory at its end, below root, and its environment are returned.
func (b *build) run(s stage) (root, dir string, env []string) {
	b.t.Helper()
	root = b.t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil { //nolint:gosec // the user of Postgres searches it
		b.t.Fatal(err)
	}
	b.roots[s.name] = root
	dir = root
	for _, st := range s.steps {
		switch st.word {
		case "WORKDIR":
			dir = filepath.Join(root, st.rest)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				b.t.Fatal(err)
			}
		case "COPY":
			b.copy(root, dir, strings.Fields(st.rest))
		case "ENV":
			env = append(env, strings.Fields(st.rest)...)
		case "RUN":
			if strings.HasPrefix(st.rest, "make ") {
				b.make(dir, strings.ReplaceAll(st.rest, "$VERSION", "test"))
			}
		}
	}
	return root, dir, env
}

// copy carries out COPY: from the context into the working directory, or from one stage into another.
func (b *build) copy(root, dir string, args []string) {
	b.t.Helper()
	from := b.context
	for strings.HasPrefix(args[0], "--") {
		if name, ok := strings.CutPrefix(args[0], "--from="); ok {
			from = b.roots[name]
		}
		args = args[1:]
	}
	target := args[len(args)-1]
	to := filepath.Join(dir, target)
	if filepath.IsAbs(target) {
		to = filepath.Join(root, target)
	}
	for _, source := range args[:len(args)-1] {
		into := to
		source = filepath.Join(from, source)
		info, err := os.Stat(source)
		if err != nil {
			b.t.Fatalf("COPY: %v", err)
		}
		if !info.IsDir() && (strings.HasSuffix(target, "/") || len(args) > 2) {
			into = filepath.Join(to, filepath.Base(source))
		}
		if info.IsDir() {
			source += "/."
		}
		if err := os.MkdirAll(filepath.Dir(into), 0o755); err != nil {
			b.t.Fatal(err)
		}
		if out, err := exec.Command("cp", "-R", source, into).CombinedOutput(); err != nil {
			b.t.Fatalf("COPY %s: %v\n%s", source, err, out)
		}
	}
}

func (b *build) make(dir, command string) {
	b.t.Helper()
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("RUN %s: %v\n%s", command, err, out)
	}
}

// sent copies to a folder what git holds or would take in, which .dockerignore leaves to Docker.
func sent(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	script := `git ls-files -z --cached --others --exclude-standard | xargs -0 -I{} sh -c 'test -f "{}" && echo "{}"' | tar -cf - -T - | tar -xf - -C "$1"`
	cmd := exec.Command("sh", "-c", script, "sh", to)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("copy the tree: %v\n%s", err, out)
	}
	return to
}

func TestEachStepOfTheDockerfileWorksAndTheProgramIsHealthy(t *testing.T) {
	if testing.Short() {
		t.Skip("it installs the npm packages anew")
	}
	b := &build{t: t, context: sent(t), roots: map[string]string{}}
	var root, dir string
	var env []string
	stages := readDockerfile(t, filepath.Join(b.context, "Dockerfile"))
	for _, s := range stages {
		root, dir, env = b.run(s)
	}
	last := map[string]string{}
	for _, st := range stages[len(stages)-1].steps {
		last[st.word] = st.rest
	}
	if last["USER"] == "" || last["USER"] == "root" {
		t.Errorf("the program runs as %q", last["USER"])
	}
	var entry, command, check []string
	_, healthCommand, _ := strings.Cut(last["HEALTHCHECK"], "CMD ")
	for text, into := range map[string]*[]string{last["ENTRYPOINT"]: &entry, last["CMD"]: &command, healthCommand: &check} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	// The ports and folders of the image would be this machine's here.
	address := free(t)
	data := filepath.Join(root, "data")
	for i, variable := range env {
		name, _, _ := strings.Cut(variable, "=")
		env[i] = map[string]string{"FETCHQ_LISTEN": "FETCHQ_LISTEN=" + address, "FETCHQ_DATA_DIR": "FETCHQ_DATA_DIR=" + data}[name]
		if env[i] == "" {
			t.Fatalf("the test knows nothing of %s", variable)
		}
	}
	env = append(os.Environ(), append(env, "DATABASE_URL=", "FETCHQ_PG_BIN=")...)
	program := filepath.Join(root, "usr", "local", "bin", entry[0])
	serve := exec.Command(program, append(entry[1:], command...)...)
	serve.Dir, serve.Env, serve.Stderr = dir, env, os.Stderr
	out, err := serve.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = serve.Process.Signal(syscall.SIGTERM)
		if err := serve.Wait(); err != nil {
			t.Errorf("the program did not stop well: %v", err)
		}
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.Contains(line, "private Postgres 18.") {
		t.Fatalf("the program said %q, %v", line, err)
	}
	if said, err := healthCheck(program, check, dir, env); err != nil {
		t.Errorf("the health check failed: %v\n%s", err, said)
	}
	if said, err := healthCheck(program, check, dir, append(env, "FETCHQ_LISTEN="+free(t))); err == nil {
		t.Errorf("the health check of a server that is not there is %q", said)
	}
}

func healthCheck(program string, check []string, dir string, env []string) (string, error) {
	if len(check) == 0 || check[0] != filepath.Base(program) {
		return "", errors.New("it does not run the program")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, check[1:]...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
