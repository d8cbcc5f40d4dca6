package app

import (
	"context"
	"time"

	"github.com/fetchq/server/internal/metrics"
	"github.com/fetchq/server/internal/scrape"
)

// scrapes is what Prometheus gets at /metrics.
func (a *App) scrapes() *scrape.Handler {
	return scrape.New(scrape.Options{
		Pool: a.pool, Engine: a.engine, Series: metrics.NewStore(a.pool, a.log), Backups: a.backupsStand, Version: a.version, Log: a.log, Now: time.Now,
	})
}

// backupsStand is what scrapes tell of backups.
func (a *App) backupsStand(ctx context.Context) (scrape.Backups, error) {
	found, err := a.catalog.Standing(ctx)
	told := scrape.Backups{Queues: found.Queues}
	for _, c := range found.Schedules {
		of := scrape.ScheduleBackups{Name: c.Name, Good: c.GoodAt, Failed: c.FailedAt != nil, Overdue: c.Overdue, Paused: c.Paused}
		if c.Last != nil {
			last := scrape.LastBackup(*c.Last)
			of.Last = &last
		}
		told.Schedules = append(told.Schedules, of)
	}
	return told, err
}
