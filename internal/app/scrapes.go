package app

import (
	"time"

	"github.com/fetchq/server/internal/metrics"
	"github.com/fetchq/server/internal/scrape"
)

// scrapes is what Prometheus gets at /metrics.
func (a *App) scrapes() *scrape.Handler {
	return scrape.New(scrape.Options{
		Pool: a.pool, Engine: a.engine, Series: metrics.NewStore(a.pool, a.log), Version: a.version, Log: a.log, Now: time.Now,
	})
}
