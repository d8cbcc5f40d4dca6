package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/catalog"
	"github.com/fetchq/server/internal/charts"
	"github.com/fetchq/server/internal/metrics"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

// Options of the API.
type Options struct {
	Engine     *queue.Engine
	Operations *operations.Service
	Catalog    *catalog.Service
	Series     *metrics.Store
	Charts     *charts.Store
	Tokens     *auth.Tokens
	Audit      *audit.Log                      // nil: none is kept
	Ready      func(ctx context.Context) error // nil when the database answers and is up to date
	Log        *slog.Logger
	Now        func() time.Time // this machine's clock, for throttles
	Proxies    auth.Proxies     // those before this server
	Version    string           // of the program
	BaseURL    string           // what the world calls this server; may be empty
}

// Limits of the API.
const (
	maxBody          = 16 << 20        // bytes of a body with documents or resolutions
	maxSmallBody     = 1 << 20         // bytes of any other body
	maxPayload       = wire.MaxPayload // of one payload, or of the details of one line
	lineWait         = time.Second     // for room
	badTokensASecond = 1               // of one address
	badTokensAtOnce  = 20
	bodyTimeout      = 2 * time.Minute // for the whole body
)

// Rooms that calls share, and how much of each one token may take: a program that stands still leaves room for the others.
const (
	maxBodies      = 256 << 20 // bytes of all bodies that are being worked on
	maxTokenBodies = maxBodies / 2
	maxCalls       = 256 // calls that run at once, besides picks and streams
	maxTokenCalls  = maxCalls / 4
	maxPicks       = 10_000 // picks that run or wait at once
	maxTokenPicks  = maxPicks / 2
	maxStreams     = 32 // streams at once: each waits for its sender, and keeps a batch of 4 MiB
	maxTokenStream = maxStreams / 4
)

// Server answers the calls of the API.
type Server struct {
	Options
	echo    *echo.Echo
	huma    huma.API
	calls   *room
	picks   *room
	streams *room
	bodies  *room
	flushes chan struct{} // holds one while a stream pushes a batch: two would fill both cores, and picks would wait
	throws  *auth.Throttle
}

// New returns the API as a handler.
func New(opt Options) *Server {
	s := &Server{
		Options: opt, echo: echo.New(),
		calls: newRoom("calls", maxCalls, maxTokenCalls), picks: newRoom("picks", maxPicks, maxTokenPicks),
		streams: newRoom("streams", maxStreams, maxTokenStream), bodies: newRoom("bytes of bodies", maxBodies, maxTokenBodies),
		flushes: make(chan struct{}, 1), throws: auth.NewThrottle(opt.Now, badTokensASecond, badTokensAtOnce),
	}
	s.echo.HTTPErrorHandler = s.fail
	s.echo.Pre(escapedPath)
	s.echo.Use(requestID, s.recoverPanic, s.record, s.authenticate, wholeQuery, onlyJSON, s.streamDocuments)
	s.huma = humaecho.New(s.echo, description(opt.Version, opt.BaseURL))
	s.queueRoutes()
	s.documentRoutes()
	s.actionRoutes()
	s.workRoutes()
	s.logRoutes()
	s.metricRoutes()
	s.markRoutes()
	s.workerRoutes()
	s.operationRoutes()
	s.backupRoutes()
	s.describeStream()
	s.probeRoutes()
	s.docsRoute()
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// description is what the OpenAPI document says besides the calls. Links to schemas and pages from elsewhere are off.
func description(version, baseURL string) huma.Config {
	c := huma.DefaultConfig("Fetchq", version)
	c.Info.Description = "A document queue on Postgres. Each call wants a bearer token; the right that it needs stands in brackets."
	c.CreateHooks, c.SchemasPath, c.DocsPath, c.OpenAPIPath = nil, "", "", "/api/openapi"
	c.Formats = map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	c.Security = []map[string][]string{{"token": {}}}
	if baseURL != "" {
		c.Servers = []*huma.Server{{URL: baseURL}}
	}
	c.Transformers = []huma.Transformer{fillProblem}
	return c
}
