package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/fetchq/server/internal/app"
	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/config"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

// sentence is what a person is told of an error; what lies behind it stands in the log.
func sentence(err error) string {
	var e *errs.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	if e.Field != "" {
		return e.Field + ": " + e.Message
	}
	return e.Message
}

type serve struct{}

// Run serves until a signal comes, then drains. A second signal ends the program at once.
func (serve) Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	// By itself, the context goes on to catch signals when it has ended.
	defer context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt, syscall.SIGTERM) })()
	began := time.Now()
	a := app.New(cfg, program(), log)
	if err := a.Start(ctx); err != nil {
		return err
	}
	scheme := "http"
	if cfg.TLSCert != "" {
		scheme = "https"
	}
	fmt.Printf("fetchq is ready at %s://%s (%s, %.1f s)\n", scheme, a.Addr(), a.Postgres(), time.Since(began).Seconds())
	if setup, err := a.SetupURL(ctx); err != nil && ctx.Err() == nil {
		log.Error("the setup link could not be made", "error", err)
	} else if setup != "" {
		fmt.Printf("nobody can sign in yet; make the first admin at %s\n", setup)
	}
	var failure error
	select {
	case <-ctx.Done():
		fmt.Println("fetchq is stopping:", context.Cause(ctx))
	case failure = <-a.Failed():
	}
	a.Stop(context.WithoutCancel(ctx))
	return failure
}

type migrate struct{}

// Run brings the database up to date.
func (migrate) Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	return app.Migrate(ctx, cfg, log)
}

type doctor struct{}

var errDiffer = errors.New("counters differ from what stands in the queues; tell us how it came to that, and set them right with: select fetchq.queue_recount('name')")

// Run prints the counters of each queue and version beside a real count.
func (doctor) Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	t, err := app.OpenTools(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer t.Close(ctx)
	checks, err := t.Engine.Doctor(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "queue\tversion\t\tplanned\tpending\tactive\tcompleted\tkilled\t")
	differ := false
	for _, c := range checks {
		line(w, c, "real", c.Real)
		if !c.OK() {
			differ = true
			line(w, c, "counted", c.Counted)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if differ {
		return errDiffer
	}
	fmt.Println("counters agree with a real count")
	p, err := t.AuditProtection(ctx)
	if err != nil {
		return err
	}
	fmt.Println(auditWords(p))
	more, err := t.Privileges(ctx)
	if err != nil {
		return err
	}
	for _, words := range more {
		fmt.Printf("role: %s can %s, which Fetchq never needs\n", p.Role, words)
	}
	if len(more) == 0 {
		fmt.Printf("role: %s can do no more than Fetchq needs\n", p.Role)
	}
	return nil
}

// auditWords says whether the audit log is safe from the program's own role.
func auditWords(p audit.Protection) string {
	switch {
	case p.Superuser:
		return fmt.Sprintf("audit log: %s is a superuser and can change any line, whoever owns it; a trigger refuses it until somebody removes the trigger. docs/audit.md says how to do without", p.Role)
	case p.Owner:
		return fmt.Sprintf("audit log: %s owns it, or may become who does: a trigger refuses changes until somebody removes the trigger. docs/audit.md gives it to another role", p.Role)
	case p.MayChange:
		return fmt.Sprintf("audit log: %s was given the right to change lines; a trigger refuses it. docs/audit.md says which rights are enough", p.Role)
	}
	return fmt.Sprintf("audit log: %s can add lines and read them, and neither change nor remove any", p.Role)
}

func line(w *tabwriter.Writer, c queue.Check, word string, n queue.Counts) {
	fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%d\t%d\t%d\t%d\t\n", c.Queue, c.Version, word, n.Planned, n.Pending, n.Active, n.Completed, n.Killed)
}

type dbURL struct{}

// Run prints the address of the database. A private Postgres that no server keeps running is gone a moment later.
func (dbURL) Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	t, err := app.OpenTools(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer t.Close(ctx)
	t.Audit.Done(ctx, audit.Entry{Action: audit.DatabaseOpen, Details: map[string]any{"command": "db-url"}})
	fmt.Println(t.URL())
	return nil
}

type psql struct {
	Args []string `arg:"" optional:"" passthrough:"" help:"Further arguments of psql."`
}

// Run opens psql, and keeps a private Postgres up as long as it is open.
func (p psql) Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	path, err := exec.LookPath("psql")
	if err != nil {
		return errs.New(errs.Unavailable, "psql is not installed; Debian has it in postgresql-client, or take another client and fetchq db-url")
	}
	t, err := app.OpenTools(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer t.Close(ctx)
	bare, password, err := t.ShellURL()
	if err != nil {
		return err
	}
	t.Audit.Done(ctx, audit.Entry{Action: audit.DatabaseOpen, Details: map[string]any{"command": "psql"}})
	// Ctrl-C is psql's own to deal with.
	shell := exec.CommandContext(context.WithoutCancel(ctx), path, append([]string{bare}, p.Args...)...)
	if password != "" {
		shell.Env = append(os.Environ(), "PGPASSWORD="+password)
	}
	shell.Stdin, shell.Stdout, shell.Stderr = os.Stdin, os.Stdout, os.Stderr
	return shell.Run()
}

type printed struct{}

// Run prints the version.
func (printed) Run() error {
	_, err := fmt.Println(program())
	return err
}
