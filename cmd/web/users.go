package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/google/uuid"

	"github.com/fetchq/server/internal/app"
	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/config"
	"github.com/fetchq/server/internal/errs"
)

type user struct {
	Create  userCreate  `cmd:"" help:"Add a person, and print the one-time link by which a password is chosen."`
	List    userList    `cmd:"" help:"List the people who may sign in."`
	Reset   userReset   `cmd:"" help:"Print a one-time link by which a person chooses another password; it takes the second factor away."`
	Role    userRole    `cmd:"" help:"Give a person another role."`
	Queues  userQueues  `cmd:"" help:"Limit a viewer or an operator to some queues; without any named, lift the limit."`
	Disable userDisable `cmd:"" help:"Keep a person from signing in; open sessions end at once."`
	Enable  userEnable  `cmd:"" help:"Let a person sign in again."`
	Setup   userSetup   `cmd:"" help:"Print a one-time link by which the first admin is made."`
}

type userCreate struct {
	Email string `required:"" help:"The address that the person signs in with; nothing is sent to it."`
	Name  string `help:"The name that pages show."`
	Role  string `required:"" help:"One of viewer, operator, admin."`
}

// Run prints the link alone on standard output.
func (c userCreate) Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	t, err := app.OpenTools(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer t.Close(ctx)
	u, err := t.Users.Create(ctx, c.Email, c.Name, auth.Role(c.Role))
	if err != nil {
		return err
	}
	return printLink(ctx, t, t.Users.Link, cfg, u)
}

func printLink(ctx context.Context, t *app.Tools, link func(context.Context, uuid.UUID) (string, error), cfg config.Config, u auth.User) error {
	text, err := link(ctx, u.ID)
	if err != nil {
		return err
	}
	t.Audit.Done(ctx, audit.Entry{Action: audit.PasswordLink, Target: u.Email})
	fmt.Fprintln(os.Stderr, "The link is good once, for a day; links that this person had before are over.")
	_, err = fmt.Println(cfg.Site(cfg.Listen) + "/reset/" + text)
	return err
}

type userList struct{}

// Run lists all people.
func (userList) Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	t, err := app.OpenTools(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer t.Close(ctx)
	users, err := t.Users.List(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "e-mail\tname\trole\tqueues\tstate\tcreated\tlast sign-in")
	for _, u := range users {
		state := "active"
		switch {
		case u.DisabledAt != nil:
			state = "disabled"
		case u.External():
			state = "active, by a provider or proxy"
		case !u.HasPassword:
			state = "waits for the link"
		}
		queues := "all"
		if u.Limited() {
			queues = strings.Join(u.Queues, ",")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", u.Email, u.Name, u.Role, queues, state, moment(&u.CreatedAt), moment(u.LastLoginAt))
	}
	return w.Flush()
}

// known opens the database and does something to the user of an e-mail address.
func known(ctx context.Context, cfg config.Config, log *slog.Logger, email string, do func(*app.Tools, auth.User) error) error {
	t, err := app.OpenTools(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer t.Close(ctx)
	u, err := t.Users.Find(ctx, email)
	if err != nil {
		return err
	}
	return do(t, u)
}

type userReset struct {
	Email string `arg:"" help:"The person's e-mail address."`
}

// Run prints the link alone on standard output. The present password, and the second factor, go on working until the link is used.
func (c userReset) Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	return known(ctx, cfg, log, c.Email, func(t *app.Tools, u auth.User) error { return printLink(ctx, t, t.Users.ResetLink, cfg, u) })
}

type userRole struct {
	Email string `arg:"" help:"The person's e-mail address."`
	Role  string `arg:"" help:"One of viewer, operator, admin."`
}

// Run changes a role, in open sessions too.
func (c userRole) Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	return known(ctx, cfg, log, c.Email, func(t *app.Tools, u auth.User) error {
		_, err := t.Users.SetRole(ctx, u.ID, auth.Role(c.Role))
		return err
	})
}

type userQueues struct {
	Email  string   `arg:"" help:"The person's e-mail address."`
	Queues []string `arg:"" optional:"" help:"Names of queues, or beginnings of names with * behind, as in img_*. None: all queues."`
}

// Run changes which queues the person sees, in open sessions too.
func (c userQueues) Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	return known(ctx, cfg, log, c.Email, func(t *app.Tools, u auth.User) error {
		_, err := t.Users.SetQueues(ctx, u.ID, c.Queues)
		return err
	})
}

type userDisable struct {
	Email string `arg:"" help:"The person's e-mail address."`
}

// Run ends the person's sessions and links.
func (c userDisable) Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	return known(ctx, cfg, log, c.Email, func(t *app.Tools, u auth.User) error {
		_, err := t.Users.Disable(ctx, u.ID)
		return err
	})
}

type userEnable struct {
	Email string `arg:"" help:"The person's e-mail address."`
}

// Run lets the person sign in with the password from before.
func (c userEnable) Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	return known(ctx, cfg, log, c.Email, func(t *app.Tools, u auth.User) error {
		_, err := t.Users.Enable(ctx, u.ID)
		return err
	})
}

type userSetup struct{}

// Run prints the link alone on standard output, where there are no users yet.
func (userSetup) Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	t, err := app.OpenTools(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer t.Close(ctx)
	text, err := t.Users.SetupLink(ctx)
	if err != nil {
		return err
	}
	if text == "" {
		return errs.New(errs.Exists, "there are users already; fetchq user reset makes a link for one of them")
	}
	t.Audit.Done(ctx, audit.Entry{Action: audit.PasswordLink, Details: map[string]any{"for": "the first admin"}})
	fmt.Fprintln(os.Stderr, "The link is good for a day, until the first admin is made.")
	_, err = fmt.Println(cfg.Site(cfg.Listen) + "/setup/" + text)
	return err
}
