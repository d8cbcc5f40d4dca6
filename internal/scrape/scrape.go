package scrape

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"golang.org/x/sync/singleflight"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/metrics"
	"github.com/fetchq/server/internal/queue"
)

// Options of a handler.
type Options struct {
	Pool    *pgxpool.Pool
	Engine  *queue.Engine
	Series  *metrics.Store
	Backups func(ctx context.Context) (Backups, error) // how it stands with them; asked once a minute
	Version string                                     // of the program
	Log     *slog.Logger
	Now     func() time.Time // this machine's clock: how old a look is, and how long it took
}

// Handler serves scrapes.
type Handler struct {
	Options
	program *prometheus.Registry // figures of the program
	calls   singleflight.Group   // scrapes that want the same share an answer
	turn    chan struct{}        // holds one while an answer is made

	seen *standing // the last look; whoever holds the turn has it
}

// New returns a handler.
func New(opt Options) *Handler {
	return &Handler{Options: opt, program: programFigures(opt), turn: make(chan struct{}, 1)}
}

// View is what a scrape may see. The zero value sees everything.
type View struct {
	Key  string                  // of those with Sees; differs where Sees does
	Sees func(queue string) bool // nil: all queues, and the figures of the program
}

// answerTime is how long an answer may take with waiting for its turn; who asked may have gone before.
const answerTime = 10 * time.Second

// Serve answers one scrape, in the format and the encoding that it asks for. However many come, one answer is made at a time, and
// those that come meanwhile for the same wait for it.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, view View) error {
	key := "all"
	if view.Sees != nil {
		key = "some\n" + view.Key // which is empty where no queue may be seen
	}
	key += "\n" + r.Header.Get("Accept") + "\n" + r.Header.Get("Accept-Encoding")
	made := h.calls.DoChan(key, func() (any, error) {
		// The first of several may go away; what it asked serves the others.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), answerTime)
		defer cancel()
		select {
		case h.turn <- struct{}{}:
			defer func() { <-h.turn }()
		case <-ctx.Done():
			return nil, errs.New(errs.Overloaded, "scrapes take too long here; try again")
		}
		return h.render(ctx, r, view)
	})
	select {
	case <-r.Context().Done():
		return r.Context().Err()
	case m := <-made:
		if m.Err != nil {
			return m.Err
		}
		m.Val.(*answer).write(w)
		return nil
	}
}

// render makes an answer.
func (h *Handler) render(ctx context.Context, r *http.Request, view View) (*answer, error) {
	var failed error
	from := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		list := gather(h.look(ctx), view, wantsNative(r.Header.Get("Accept")))
		if view.Sees == nil {
			var program []*dto.MetricFamily
			if program, failed = h.program.Gather(); failed != nil {
				return nil, failed
			}
			list = append(list, program...)
		}
		return list, nil
	})
	a := &answer{header: http.Header{}, status: http.StatusOK}
	promhttp.HandlerFor(from, promhttp.HandlerOpts{EnableOpenMetrics: true}).ServeHTTP(a, r)
	return a, failed
}

// answer is an answer as it goes to everybody who waits for it.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) { a.status = status }

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

func (a *answer) write(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()) // a scraper that is gone needs no answer
}
