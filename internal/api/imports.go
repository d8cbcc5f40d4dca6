package api

import (
	"context"
	"mime"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

const importsPath = "/queues/{queue}/imports"

// importFormats are the content types of an import.
var importFormats = map[string]string{ndjson: operations.NDJSON, "text/csv": operations.CSV}

// importFormat is what the body of a request is read as; "" where it is none of an import.
func importFormat(c echo.Context) string {
	media, _, err := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
	if err != nil || c.Request().Method != http.MethodPost || c.Path() != base+strings.ReplaceAll(importsPath, "{queue}", ":queue") {
		return ""
	}
	return importFormats[media]
}

// importRoute adds the call whose body is stored as it comes: any number of lines, in constant memory.
func (s *Server) importRoute() {
	register(s, route{
		method: http.MethodPost, path: importsPath, needs: auth.Add, line: s.streams, status: http.StatusAccepted,
		summary: "Store documents that come one a line, and push them in the background",
	}, s.importDocuments)
	post := s.huma.OpenAPI().Paths[base+importsPath].Post
	schemas := s.huma.OpenAPI().Components.Schemas
	post.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{
		ndjson:     {Schema: schemas.Schema(reflect.TypeFor[client.Push](), true, "")},
		"text/csv": {Schema: &huma.Schema{Type: huma.TypeString}, Example: "subject,priority,payload.url\nhttps://a.example/,5,https://a.example/\n"},
	}}
	post.Description = "application/x-ndjson has one document a line. The first line of text/csv names the columns: subject, version, priority, " +
		"next_iteration, and payload, whose fields are JSON, or payload.NAME for the members of an object, whose fields are text, or JSON where the " +
		"name ends in :json. An empty field is not given."
}

func (s *Server) importDocuments(ctx context.Context, in *struct {
	InQueue
	InKey
	OnConflict string `query:"on_conflict" enum:"ignore,update" default:"ignore" doc:"What becomes of a document whose subject is taken."`
}) (*out[client.Operation], error) {
	c := callOf(ctx).echo
	format := importFormat(c)
	if format == "" {
		return nil, errs.New(errs.Unsupported, "the content type is neither application/x-ndjson nor text/csv, one of which is wanted here")
	}
	if err := wire.CheckText("Idempotency-Key", in.Key, 255); err != nil {
		return nil, err
	}
	patience := func() { allowRead(c, s.Now().Add(streamPatient)) }
	patience()
	o, err := s.Operations.Import(ctx, operations.ImportRequest{
		Queue: in.Queue, Format: format, OnConflict: queue.OnConflict(in.OnConflict), Key: ownKey(ctx, in.Key), Asked: s.asked(ctx), Patience: patience,
	}, c.Request().Body)
	return &out[client.Operation]{clientOperation(o)}, err
}
