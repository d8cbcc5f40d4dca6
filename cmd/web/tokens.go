package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/fetchq/server/internal/app"
	"github.com/fetchq/server/internal/config"
	"github.com/fetchq/server/internal/wire"
)

type token struct {
	Create tokenCreate `cmd:"" help:"Make a token and print it; nobody can see it again."`
	List   tokenList   `cmd:"" help:"List the tokens."`
	Rotate tokenRotate `cmd:"" help:"Give a token another secret and print it; the old one stays good for a time."`
	Revoke tokenRevoke `cmd:"" help:"Revoke a token; every server refuses it within a second."`
}

type tokenCreate struct {
	Name    string   `required:"" help:"What it is for; no two have the same."`
	Rights  []string `required:"" help:"Some of read, push, work, metrics, admin."`
	Queues  []string `help:"Only these queues; a name may end in *. Default: all."`
	Expires string   `help:"How long it lasts, as in 90d. Default: for ever."`
}

// Run prints the token alone on standard output.
func (c tokenCreate) Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	var expires *time.Time
	if c.Expires != "" {
		span, err := wire.ParseInterval(c.Expires)
		if err != nil {
			return fmt.Errorf("expires: %s", sentence(err))
		}
		at := time.Now().Add(span.Approx())
		expires = &at
	}
	t, err := app.OpenTools(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer t.Close(ctx)
	_, text, err := t.Tokens.Create(ctx, c.Name, c.Rights, c.Queues, expires, "")
	if err != nil {
		return err
	}
	fmt.Println(text)
	return nil
}

type tokenList struct{}

// Run lists the tokens that were not revoked.
func (tokenList) Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	t, err := app.OpenTools(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer t.Close(ctx)
	tokens, err := t.Tokens.List(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "name\trights\tqueues\tcreated\texpires\tlast used\tfrom\told secret until")
	for _, k := range tokens {
		queues := "all"
		if k.Queues != nil {
			queues = strings.Join(k.Queues, ",")
		}
		from, old := "", ""
		if k.LastUsedFrom != nil {
			from = *k.LastUsedFrom
		}
		if k.OldUntil != nil && k.OldUntil.After(time.Now()) {
			old = moment(k.OldUntil)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.Name, strings.Join(k.Rights, ","), queues, moment(&k.CreatedAt), moment(k.ExpiresAt),
			moment(k.LastUsedAt), from, old)
	}
	return w.Flush()
}

func moment(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

type tokenRevoke struct {
	Name string `arg:"" help:"The token's name."`
}

// Run revokes a token.
func (c tokenRevoke) Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	t, err := app.OpenTools(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer t.Close(ctx)
	return t.Tokens.Revoke(ctx, c.Name)
}

type tokenRotate struct {
	Name    string `arg:"" help:"The token's name."`
	Overlap string `default:"7d" help:"How long the old secret stays good, up to 90 days; 0s ends it at once, as where it has leaked."`
}

// Run prints the new token alone on standard output.
func (c tokenRotate) Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	span, err := wire.ParseInterval(c.Overlap)
	if err != nil {
		return fmt.Errorf("overlap: %s", sentence(err))
	}
	t, err := app.OpenTools(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer t.Close(ctx)
	k, text, err := t.Tokens.Rotate(ctx, c.Name, span.Approx())
	if err != nil {
		return err
	}
	if k.OldUntil != nil {
		fmt.Fprintln(os.Stderr, "The old secret is good until", moment(k.OldUntil)+".")
	} else {
		fmt.Fprintln(os.Stderr, "Every server refuses the old secret within a second.")
	}
	fmt.Println(text)
	return nil
}
