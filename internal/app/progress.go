package app

import (
	"net/http"
	"time"
)

// answerPatience is how long an answer may stand still: then its connection is closed, and what it holds is free.
const answerPatience = 2 * time.Minute

// writeStep is how much of an answer must go out within the patience, in bytes. A slow reader of a large answer is not one
// that stands still.
const writeStep = 64 << 10

// progressing gives each step of an answer so much time. net/http's own limit is for the whole answer, which a wait or a
// stream would not keep.
func progressing(next http.Handler, patience time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := &progress{ResponseWriter: w, control: http.NewResponseController(w), patience: patience}
		defer p.renew() // for an answer without a body, and what net/http still holds
		next.ServeHTTP(p, r)
	})
}

type progress struct {
	http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
}

// Unwrap is how a ResponseController finds the connection.
func (p *progress) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p *progress) renew() { _ = p.control.SetWriteDeadline(time.Now().Add(p.patience)) }

func (p *progress) Write(b []byte) (n int, err error) {
	for len(b) > 0 && err == nil {
		p.renew()
		var m int
		m, err = p.ResponseWriter.Write(b[:min(len(b), writeStep)])
		n, b = n+m, b[m:]
	}
	return n, err
}

// FlushError is what a ResponseController calls to send what is there.
func (p *progress) FlushError() error {
	p.renew()
	return p.control.Flush()
}
