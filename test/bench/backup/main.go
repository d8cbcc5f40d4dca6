// Command backup measures how fast queues are written to a folder and restored, beside pg_dump and pg_restore of the same queue in the same
// run where these are found, and how much memory the program takes; and, with -span, what a backup costs those who work on the queue. It works
// in a queue that it makes and drops, and in a temporary folder. pg_dump has to be of the server's major version or a newer one;
// FETCHQ_PG_BIN says of which version the server is.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/test/bench/serve"
)

var (
	program   = flag.String("fetchq", "bin/fetchq", "the program; make build makes it")
	database  = flag.String("database", "", "address of a migrated database; where nothing is said, a server is started on a private Postgres in a temporary folder")
	documents = flag.Int("documents", 1_000_000, "how many, 1000 to 100000000")
	pgBin     = flag.String("pg-bin", "", "folder of pg_dump and pg_restore; the PATH where nothing is said")
	parallel  = flag.Int("parallel", 2, "connections that read or write side by side, 1 to 16")
	span      = flag.Duration("span", 0, "how long a queue is worked on, alone and beside backups, 2s to 10m; 0: not at all")
)

const queue = "backup_bench"

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "backup:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	db   *pgx.Conn
	dir  string
	text int64 // bytes of the queue as COPY writes it
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *documents < 1000 || *documents > 100_000_000 || *parallel < 1 || *parallel > 16 || *span != 0 && (*span < 2*time.Second || *span > 10*time.Minute) {
		return errors.New("a flag is outside its limits; see -help")
	}
	address := *database
	var server *serve.Server
	if address == "" {
		var err error
		if server, err = serve.Start(ctx, *program); err != nil {
			return err
		}
		defer server.Stop()
		if address, err = server.Run(ctx, "db-url"); err != nil {
			return err
		}
	} else if *span > 0 {
		return errors.New("-span wants a server of its own: leave out -database")
	}
	db, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	defer db.Close(context.WithoutCancel(ctx))
	dir, err := os.MkdirTemp("", "fetchq-bench-backup-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{db: db, dir: dir}
	if err := b.fill(ctx); err != nil {
		return err
	}
	defer b.drop(context.WithoutCancel(ctx))
	if *span > 0 {
		if err := b.beside(ctx, server, address); err != nil {
			return err
		}
	}
	return b.measure(ctx, address)
}

// fill makes the queue: payloads of about 300 bytes with what a crawler keeps of a page.
func (b *bench) fill(ctx context.Context) error {
	b.drop(ctx)
	if _, err := b.db.Exec(ctx, `select fetchq.queue_create($1)`, queue); err != nil {
		return err
	}
	const batch = 10_000
	for from := 0; from < *documents; from += batch {
		_, err := b.db.Exec(ctx, `
			select count(*) from fetchq.doc_push_many($1,
				(select array_agg('https://example.org/' || md5(i::text) order by i) from generate_series($2::int, $3::int) i),
				(select array_agg(jsonb_build_object('title', md5(i::text) || ' ' || md5((i * 7)::text), 'seen', i, 'score', i / 7.0, 'tags', array['page', 'html', 'n' || i % 50],
					'text', repeat('some words of a page ', 5)) order by i) from generate_series($2::int, $3::int) i),
				p_delays => (select array_agg(make_interval(secs => i % 7200 - 3600) order by i) from generate_series($2::int, $3::int) i))`,
			queue, from, min(from+batch, *documents)-1)
		if err != nil {
			return err
		}
	}
	for _, sql := range []string{`select fetchq.mnt_fold('` + queue + `')`, `vacuum analyze q_` + queue + `.docs`, `checkpoint`} {
		if _, err := b.db.Exec(ctx, sql); err != nil {
			return err
		}
	}
	// What COPY alone takes, with nobody who packs its text.
	began := time.Now()
	var text counter
	if _, err := b.db.PgConn().CopyTo(ctx, &text, `copy (select * from q_`+queue+`.docs) to stdout`); err != nil {
		return err
	}
	b.text = int64(text)
	fmt.Printf("%d documents, %.0f MB of text; COPY alone, by one connection: %.2f s\n", *documents, float64(b.text)/1e6, time.Since(began).Seconds())
	return nil
}

// counter counts bytes.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func (b *bench) drop(ctx context.Context) {
	for _, name := range []string{queue, queue + "_again"} {
		_, _ = b.db.Exec(ctx, `select fetchq.queue_drop($1)`, name) // it may not be there
	}
}

// command is a program that finds the database.
func command(ctx context.Context, address, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(os.Environ(), "DATABASE_URL="+address)
	return c
}

// time runs a program and prints its time, its rates and its memory.
func (b *bench) time(ctx context.Context, what, address string, name string, args ...string) (string, error) {
	c := command(ctx, address, name, args...)
	var said strings.Builder
	c.Stderr = &said
	began := time.Now()
	out, err := c.Output()
	took := time.Since(began)
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", what, err, said.String())
	}
	fmt.Printf("%-20s %7.2f s  %9.0f documents/s  %5.1f MB/s of text  %4.0f MB of memory  %5.2f s of processor\n", what, took.Seconds(),
		float64(*documents)/took.Seconds(), float64(b.text)/1e6/took.Seconds(), peak(c.ProcessState), (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds())
	return strings.TrimSpace(string(out)), nil
}

func (b *bench) measure(ctx context.Context, address string) error {
	to := (&url.URL{Scheme: "file", Path: filepath.ToSlash(b.dir)}).String()
	object, err := b.time(ctx, "fetchq backup run", address, *program, "backup", "run", "--queue", queue, "--to", to, "--name", "bench", "--parallel", strconv.Itoa(*parallel))
	if err != nil {
		return err
	}
	size(filepath.Join(b.dir, "bench.tar.zst"))
	if _, err := b.time(ctx, "fetchq backup verify", address, *program, "backup", "verify", object); err != nil {
		return err
	}
	if _, err := b.time(ctx, "fetchq restore", address, *program, "restore", object, "--as", queue+"_again", "--parallel", strconv.Itoa(*parallel)); err != nil {
		return err
	}
	dump, restore := tool("pg_dump"), tool("pg_restore")
	if dump == "" || restore == "" {
		fmt.Println("pg_dump and pg_restore are not here: nothing to compare with")
		return nil
	}
	file := filepath.Join(b.dir, "dump")
	if _, err := b.time(ctx, "pg_dump -Fc", address, dump, "-Fc", "-n", "q_"+queue, "-f", file, address); err != nil {
		return err
	}
	size(file)
	// Functions of the queue stand in its schema; it has to go before it can come back.
	if _, err := b.db.Exec(ctx, `select fetchq.queue_drop($1)`, queue); err != nil {
		return err
	}
	if _, err := b.time(ctx, "pg_restore", address, restore, "-d", address, file); err != nil {
		return err
	}
	_, err = b.db.Exec(ctx, `drop schema q_`+queue+` cascade`)
	return err
}

// tool finds a program of Postgres.
func tool(name string) string {
	if *pgBin != "" {
		return filepath.Join(*pgBin, name)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	return path
}

func size(file string) {
	if info, err := os.Stat(file); err == nil {
		fmt.Printf("%-20s %7.1f MB\n", "  its file", float64(info.Size())/1e6)
	}
}
