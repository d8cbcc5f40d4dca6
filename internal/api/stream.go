package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

// Limits of a stream of documents.
const (
	ndjson        = "application/x-ndjson"
	maxLine       = maxPayload + 4096 // bytes: a payload and the fields beside it
	streamBatch   = 4 << 20           // bytes that are pushed in one call, or MaxBatch lines
	streamErrors  = 100               // that are told
	streamPatient = 2 * time.Minute   // from one line to the next that is not blank
	documentsPath = base + "/queues/:queue/documents"
)

func isStream(c echo.Context) bool {
	media, _, err := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
	return err == nil && media == ndjson && c.Request().Method == http.MethodPost && c.Path() == documentsPath
}

// streamDocuments takes a push whose documents come one a line. It shares its path with the push of one JSON document.
func (s *Server) streamDocuments(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !isStream(c) {
			return next(c)
		}
		ctx := c.Request().Context()
		name, err := url.PathUnescape(c.Param("queue"))
		if err != nil {
			return errs.Field("queue", "the path is not escaped rightly")
		}
		if err := permit(ctx, auth.Add, name); err != nil {
			return err
		}
		policy, err := policyOf(c.QueryParam("on_conflict"), c.QueryParam("then"))
		if err != nil {
			return err
		}
		leave, err := s.streams.enter(ctx, tokenOf(ctx).ID)
		if err != nil {
			return err
		}
		defer leave()
		key := c.Request().Header.Get("Idempotency-Key")
		if err := wire.CheckText("Idempotency-Key", key, 255); err != nil {
			return err
		}
		p := &streamPush{
			keyed:  key != "",
			lines:  bufio.NewReaderSize(c.Request().Body, 64<<10),
			answer: client.StreamResponse{Errors: []client.LineError{}},
			push: func(ctx context.Context, first int64, docs []queue.Push) ([]queue.Result, error) {
				select {
				case s.flushes <- struct{}{}:
				case <-ctx.Done():
					return nil, ctx.Err()
				}
				defer func() { <-s.flushes }()
				batch := key
				if key != "" { // each batch has a key of its own; a stream that is repeated has the same batches
					batch = ownKey(ctx, strconv.FormatInt(first, 10)+" "+key)
				}
				return s.Engine.Append(ctx, name, batch, docs, policy)
			},
			patience: func() { allowRead(c, s.Now().Add(streamPatient)) },
		}
		if err := p.run(ctx); err != nil {
			return err
		}
		return c.JSON(http.StatusOK, p.answer)
	}
}

// streamPush reads lines, pushes them in batches, and counts. What one batch pushed stays, whatever comes after it.
type streamPush struct {
	lines    *bufio.Reader
	answer   client.StreamResponse
	push     func(ctx context.Context, first int64, docs []queue.Push) ([]queue.Result, error) // first: the line of docs[0]
	patience func()
	keyed    bool // it can be repeated

	line    int64 // the number of the line that was read last, from 1
	docs    []queue.Push
	numbers []int64 // the lines of docs
	bytes   int
}

func (p *streamPush) run(ctx context.Context) error {
	// An empty batch tells of a queue that does not exist, and of an unknown policy, before the first line is read.
	if _, err := p.push(ctx, 0, nil); err != nil {
		return err
	}
	for renew := true; ; {
		if renew {
			p.patience()
		}
		line, err := p.read()
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errLong) {
			if p.keyed && len(p.docs) > 0 {
				// Half a batch would be another call than the whole one that comes when the stream is repeated.
				return errs.New(errs.Malformed, "the body ended in the middle, or came too slowly, in line %d; the lines before %d were taken",
					p.line, p.numbers[0])
			}
			// What came before a broken connection is pushed, although its call is given up.
			if err := p.flush(context.WithoutCancel(ctx)); err != nil {
				return err
			}
			return errs.New(errs.Malformed, "the body ended in the middle, or came too slowly, in line %d; the lines before it were taken", p.line)
		}
		end := errors.Is(err, io.EOF)
		renew = true
		switch {
		case errors.Is(err, errLong):
			p.refuse(p.line, "a line is longer than a payload of 1 MiB allows")
		case len(bytes.TrimSpace(line)) > 0:
			p.take(line)
		default:
			renew = false // blank lines would keep a place for ever
		}
		if end || len(p.docs) == queue.MaxBatch || p.bytes >= streamBatch {
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
		if end {
			return nil
		}
	}
}

var errLong = errors.New("the line is too long")

// read returns the next line, a copy. errLong stands for a line over the limit, which is read to its end; io.EOF comes with
// the last line.
func (p *streamPush) read() ([]byte, error) {
	p.line++
	var line []byte
	long := false
	for {
		part, err := p.lines.ReadSlice('\n')
		if !long {
			line = append(line, part...)
			if long = len(line) > maxLine; long {
				line = nil
			}
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case long && (err == nil || errors.Is(err, io.EOF)):
			if err == nil {
				return nil, errLong
			}
			p.refuse(p.line, "a line is longer than a payload of 1 MiB allows")
			return nil, io.EOF
		default:
			return line, err
		}
	}
}

func (p *streamPush) take(line []byte) {
	d, detail := queue.ReadPush(line)
	if detail != "" {
		p.refuse(p.line, detail)
		return
	}
	p.docs, p.numbers, p.bytes = append(p.docs, d), append(p.numbers, p.line), p.bytes+len(line)
}

func (p *streamPush) flush(ctx context.Context) error {
	if len(p.docs) == 0 {
		return nil
	}
	results, err := p.push(ctx, p.numbers[0], p.docs)
	if err != nil {
		return err
	}
	for i, r := range results {
		switch r.Outcome {
		case client.OutcomeCreated:
			p.answer.Created++
		case client.OutcomeUpdated:
			p.answer.Updated++
		case client.OutcomeRequeued:
			p.answer.Requeued++
		case client.OutcomeInvalid:
			p.refuse(p.numbers[i], r.Detail)
		default: // ignored, active, duplicate: the subject was taken
			p.answer.Ignored++
		}
	}
	clear(p.docs) // the payloads of a batch go when it is pushed
	p.docs, p.numbers, p.bytes = p.docs[:0], p.numbers[:0], 0
	return nil
}

func (p *streamPush) refuse(line int64, detail string) {
	p.answer.Invalid++
	if len(p.answer.Errors) < streamErrors {
		p.answer.Errors = append(p.answer.Errors, client.LineError{Line: line, Detail: detail})
	}
}

// describeStream adds the stream to the description of the push.
func (s *Server) describeStream() {
	post := s.huma.OpenAPI().Paths[base+"/queues/{queue}/documents"].Post
	schemas := s.huma.OpenAPI().Components.Schemas
	post.RequestBody.Content[ndjson] = &huma.MediaType{Schema: schemas.Schema(reflect.TypeFor[client.Push](), true, "")}
	post.Description = "As application/x-ndjson, one document a line: any number of lines; on_conflict and then stand in the query, " +
		"and the answer counts created, updated, ignored and invalid lines and tells the first 100 errors. " +
		"Under an Idempotency-Key the stream may be sent again as a whole: what was taken is not taken twice."
}
