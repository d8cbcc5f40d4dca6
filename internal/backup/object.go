package backup

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/fetchq/server/internal/errs"
)

// object is one that is being written. It is there when Close has returned no error, and not before. It may be aborted while it is written to.
type object struct {
	s      *Store
	hold   sync.Mutex // while w is used, which takes one caller at a time
	w      *blob.Writer
	closed bool
	file   *os.File
	cancel context.CancelCauseFunc
	ctx    context.Context //nolint:containedctx // of this one object
}

// create begins an object. Its parts are few in memory and of a size of which S3 takes enough.
func (s *Store) create(ctx context.Context, name string) (*object, error) {
	o := &object{s: s}
	o.ctx, o.cancel = context.WithCancelCause(ctx)
	w, err := s.bucket.NewWriter(o.ctx, name, &blob.WriterOptions{
		BufferSize: partBytes, MaxConcurrency: 2, ContentType: "application/octet-stream", DisableContentTypeDetection: true,
		BeforeWrite: func(as func(any) bool) error {
			if as(&o.file) {
				return o.file.Chmod(0o600) // there are documents in it
			}
			return nil
		},
	})
	if err != nil {
		o.cancel(nil)
		return nil, refused("write", s.url, err)
	}
	o.w = w
	return o, nil
}

// patiently does something that may hang, and ends it when it takes too long.
func (o *object) patiently(do func() error) error {
	t := time.AfterFunc(o.s.patience, func() { o.cancel(errStalled) })
	defer t.Stop()
	o.hold.Lock()
	defer o.hold.Unlock()
	err := io.ErrClosedPipe
	if !o.closed {
		err = do()
	}
	if err != nil && context.Cause(o.ctx) != nil {
		err = context.Cause(o.ctx)
	}
	return refused("write", o.s.url, err)
}

func (o *object) Write(p []byte) (n int, err error) {
	err = o.patiently(func() (err error) {
		n, err = o.w.Write(p)
		return err
	})
	return n, err
}

// Close makes the object be there, on the disk where it is a file.
func (o *object) Close() error {
	defer o.cancel(nil)
	return o.patiently(func() error {
		o.closed = true
		if o.file != nil {
			if err := o.file.Sync(); err != nil {
				o.cancel(err)
				_ = o.w.Close()
				return err
			}
		}
		return o.w.Close()
	})
}

// abort leaves nothing of the object. It ends a write that hangs, and waits for that.
func (o *object) abort() {
	o.cancel(context.Canceled)
	o.hold.Lock()
	defer o.hold.Unlock()
	if !o.closed {
		o.closed = true
		_ = o.w.Close()
	}
}

// source reads an object from its beginning to its end. Where a connection breaks, it goes on from there with another one.
type source struct {
	s      *Store
	ctx    context.Context //nolint:containedctx // of this one object
	name   string
	at     int64
	r      *blob.Reader
	conn   context.Context //nolint:containedctx // of the present connection
	cancel context.CancelCauseFunc
	broken int // times in a row, without a byte
}

// A connection may break so often in a row; one on which nothing moved counts for several, for each takes the whole patience.
const (
	mostBroken = 5
	stalled    = 3
)

func (s *Store) reader(ctx context.Context, name string) *source {
	return &source{s: s, ctx: ctx, name: name}
}

func (r *source) Read(p []byte) (int, error) {
	for {
		n, err := r.once(p)
		r.at += int64(n)
		if n > 0 {
			r.broken = 0
			return n, nil
		}
		if err == nil || err == io.EOF { //nolint:errorlint // as io.Reader has it
			return n, err
		}
		_ = r.Close()
		r.broken++
		if errors.Is(err, errStalled) {
			r.broken += stalled - 1
		}
		code := gcerrors.Code(err)
		var ours *errs.Error
		if r.ctx.Err() != nil || errors.As(err, &ours) || r.broken >= mostBroken || code == gcerrors.NotFound || code == gcerrors.PermissionDenied {
			return 0, refused("read", r.s.url, err)
		}
		select {
		case <-time.After(time.Duration(r.broken) * 200 * time.Millisecond):
		case <-r.ctx.Done():
			return 0, context.Cause(r.ctx)
		}
	}
}

func (r *source) once(p []byte) (int, error) {
	if r.r == nil {
		r.conn, r.cancel = context.WithCancelCause(r.ctx)
	}
	cancel := r.cancel
	t := time.AfterFunc(r.s.patience, func() { cancel(errStalled) })
	defer t.Stop()
	n, err := r.read(p)
	if err != nil && errors.Is(context.Cause(r.conn), errStalled) {
		err = errStalled
	}
	return n, err
}

// plain refuses what stands in a folder and is no file: a symbolic link leads to files that are nobody's to read, and a pipe to no end.
func (s *Store) plain(object string) error {
	if s.folder == "" {
		return nil
	}
	info, err := os.Lstat(filepath.Join(s.folder, object))
	if err == nil && !info.Mode().IsRegular() {
		return damaged("%s is no plain file", object)
	}
	return nil // that it is not there is said by who reads it
}

func (r *source) read(p []byte) (n int, err error) {
	if r.r == nil {
		if err := r.s.plain(r.name); err != nil {
			r.cancel(nil)
			return 0, err
		}
		if r.r, err = r.s.bucket.NewRangeReader(r.conn, r.name, r.at, -1, nil); err != nil {
			r.r = nil
			r.cancel(nil)
			return 0, err
		}
	}
	return r.r.Read(p)
}

// Close ends the reading.
func (r *source) Close() error {
	if r.r == nil {
		return nil
	}
	err := r.r.Close()
	r.cancel(nil)
	r.r = nil
	return err
}
