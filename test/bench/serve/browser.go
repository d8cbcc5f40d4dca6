package serve

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"
)

const (
	email    = "bench@example.org"
	password = "correct horse battery"
)

// Browser is somebody who is signed in, as an admin.
type Browser struct {
	HTTP *http.Client
	url  string
}

// Page is what a browser is answered.
type Page struct {
	Body        []byte        // as it came: packed
	First, Last time.Duration // to the first byte, and to the last
}

// StartSignedIn starts a program and signs in.
func StartSignedIn(ctx context.Context, program string, settings ...string) (*Server, *Browser, error) {
	s, err := Start(ctx, program, append(settings, "FETCHQ_ADMIN_EMAIL="+email, "FETCHQ_ADMIN_PASSWORD="+password)...)
	if err != nil {
		return nil, nil, err
	}
	b := &Browser{url: s.URL}
	if err := b.signIn(ctx); err != nil {
		s.Stop()
		return nil, nil, err
	}
	return s, b, nil
}

func (b *Browser) signIn(ctx context.Context) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	b.HTTP = &http.Client{Jar: jar, Transport: &http.Transport{MaxIdleConnsPerHost: 200, DisableCompression: true}}
	form := strings.NewReader(url.Values{"email": {email}, "password": {password}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url+"/login", form)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := b.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Request.URL.Path != "/" {
		return fmt.Errorf("signing in leads to %s with status %d", resp.Request.URL.Path, resp.StatusCode)
	}
	return nil
}

// Get asks for a path as a browser does; live is how a page asks for itself again.
func (b *Browser) Get(ctx context.Context, path string, live bool) (Page, error) {
	var first time.Time
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotFirstResponseByte: func() { first = time.Now() }})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+path, nil)
	if err != nil {
		return Page{}, err
	}
	req.Header.Set("Accept-Encoding", "gzip")
	if live {
		req.Header.Set("Fetchq-Live", "1")
	}
	began := time.Now()
	resp, err := b.HTTP.Do(req)
	if err != nil {
		return Page{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return Page{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return Page{}, fmt.Errorf("%s is answered with status %d", path, resp.StatusCode)
	}
	return Page{Body: body, First: first.Sub(began), Last: time.Since(began)}, nil
}

// Plain undoes gzip.
func (p Page) Plain() ([]byte, error) {
	if !bytes.HasPrefix(p.Body, []byte{0x1f, 0x8b}) {
		return p.Body, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(p.Body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
