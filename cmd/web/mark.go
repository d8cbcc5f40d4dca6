package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/fetchq/server/internal/app"
	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/charts"
	"github.com/fetchq/server/internal/config"
)

type mark struct {
	Text  string `arg:"" help:"What happened, in 1 to 200 bytes."`
	Queue string `help:"The queue whose charts show it; those of all queues where nothing is said."`
}

// Validate refuses a text that no mark can have, before a database is looked for.
func (m mark) Validate() error {
	return charts.CheckMark(m.Text)
}

// Run notes the event as of now, by the database's clock.
func (m mark) Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	t, err := app.OpenTools(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer t.Close(ctx)
	if m.Queue != "" {
		if _, err := t.Engine.Get(ctx, m.Queue); err != nil {
			return err
		}
	}
	if _, err = t.Charts.AddMark(ctx, m.Queue, m.Text, "the command line", time.Time{}); err != nil {
		return err
	}
	t.Audit.Done(ctx, audit.Entry{Action: audit.MarkAdd, Target: m.Queue, Details: map[string]any{"text": m.Text}})
	return nil
}
