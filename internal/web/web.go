package web

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/catalog"
	"github.com/fetchq/server/internal/charts"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/metrics"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/internal/provider"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/static"
)

// Options of the site.
type Options struct {
	Engine *queue.Engine
	// Operations are asked for here, and carried out elsewhere.
	Operations *operations.Service
	Catalog    *catalog.Service
	Recent     *metrics.Recent
	Metrics    Metrics
	Charts     *charts.Store
	Users      *auth.Users
	Sessions   *auth.Sessions
	Provider   *provider.Provider // of OpenID; nil: there is none
	Headers    Headers            // of the proxy that signs people in
	Entrance   auth.Entrance      // of those whom somebody else identifies
	Tokens     *auth.Tokens
	Audit      *audit.Log // nil: none is kept
	Assets     static.Assets
	Log        *slog.Logger
	Now        func() time.Time // this machine's clock, for what pages say of ages
	Proxies    auth.Proxies     // those before this server whose X-Forwarded-For is believed
	URL        string           // where programs and browsers find this server, without a slash at the end
	BaseURL    string           // what the world calls this server, where somebody said so; may be empty
	Env        string           // the label of the environment; may be empty
}

// Limits of the site.
const (
	maxForm    = 2 << 20          // bytes of a form: a payload of 1 MiB with indents, or escaped
	formWait   = 30 * time.Second // for the whole body of a form
	pageWait   = 30 * time.Second // for the work behind a page
	maxStreams = 2000             // streams of events at once
	maxUploads = 4                // files that come in at once
)

// Server answers the pages.
type Server struct {
	Options
	echo       *echo.Echo
	origins    *http.CrossOriginProtection
	board      *board
	shared     *shared
	chartParts *shared // what charts are told
	trouble    tally
	missing    missing
	crews      *crews
	calendars  *calendars
	streams    chan struct{}
	uploads    chan struct{} // holds one for each file that comes in
	exports    chan struct{} // and for each that goes out
	routes     []Route
	opened     map[string]bool // the paths that are for everybody: who is refused there had to show who he is
	// compressed are the paths whose answers are kept compressed; false: of their live parts only.
	compressed map[string]bool
	stop       context.CancelFunc
	stopped    context.Context
}

// New returns the site as a handler.
func New(opt Options) *Server {
	s := &Server{
		Options: opt, echo: echo.New(), origins: http.NewCrossOriginProtection(),
		board: newBoard(opt.Engine, opt.Now), streams: make(chan struct{}, maxStreams), uploads: make(chan struct{}, maxUploads), exports: make(chan struct{}, mostExports), compressed: map[string]bool{}, opened: map[string]bool{},
	}
	s.shared = newShared(opt.Now, s.board.age, partLasts)
	s.chartParts = newShared(opt.Now, func() int { return 0 }, chartLasts)
	s.crews = newCrews(opt.Engine, opt.Now)
	s.calendars = newCalendars(opt.Now, s.countDue)
	s.stopped, s.stop = context.WithCancel(context.Background())
	if opt.BaseURL != "" {
		// Checked by the settings. Behind a proxy the browser's origin is this, whatever the Host of a request says.
		_ = s.origins.AddTrustedOrigin(origin(opt.BaseURL))
	}
	s.echo.HTTPErrorHandler = s.fail
	s.echo.Use(s.recoverPanic, s.secure, s.believe, s.record, s.checkOrigin, middleware.GzipWithConfig(middleware.GzipConfig{
		MinLength: 1024, Skipper: func(c echo.Context) bool {
			always, kept := s.compressed[c.Path()]
			return c.Path() == "/events" || strings.HasPrefix(c.Path(), static.Prefix) || kept && (always || isLive(c.Request()))
		},
	}), s.limitBody)
	s.echo.RouteNotFound("/*", s.notFound)
	s.register()
	return s
}

// ServeHTTP implements http.Handler. HEAD is GET without its body, which net/http leaves out; but a stream would have no end.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead && r.URL.Path != "/events" {
		asGet := *r
		asGet.Method = http.MethodGet
		r = &asGet
	}
	s.echo.ServeHTTP(w, r)
}

// Stop ends the streams of events, so that the program can drain.
func (s *Server) Stop() { s.stop() }

// register lists all routes of the site, with what each needs.
func (s *Server) register() {
	s.open(http.MethodGet, static.Prefix+"*", func(c echo.Context) error { s.Assets.ServeHTTP(c.Response(), c.Request()); return nil })
	s.open(http.MethodGet, "/favicon.ico", func(c echo.Context) error { return c.Redirect(http.StatusFound, s.Assets.URL("favicon.svg")) })
	s.signInRoutes()
	s.providerRoutes()
	s.liveRoutes()
	s.overviewRoutes()
	s.queuesRoutes()
	s.queueRoutes()
	s.errorsRoutes()
	s.chartsRoutes()
	s.dashboardsRoutes()
	s.searchRoutes()
	s.documentsRoutes()
	s.documentRoutes()
	s.workersRoutes()
	s.operationsRoutes()
	s.backupsRoutes()
	s.importRoutes()
	s.accountRoutes()
	s.secondRoutes()
	s.passkeyRoutes()
	s.teamRoutes()
	s.auditRoutes()
}

// notFound answers what is no page: in the frame where somebody is signed in.
func (s *Server) notFound(c echo.Context) error {
	_, _, _ = s.signedInUser(c) // who cannot be told is nobody
	return errs.New(errs.NotFound, "there is no such page")
}
