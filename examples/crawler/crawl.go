package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"

	"github.com/fetchq/server/client"
)

// Directories come first, so that the crawl finds work early.
const directoryPriority = 10

// The demo's queue: five attempts, and a backoff short enough to watch.
var settings = client.Patch{"max_attempts": maxAttempts, "backoff": client.Backoff{Kind: "fixed", Base: "500ms"}}

const maxAttempts = 5

// visited is the payload of a document: what its last visits found.
type visited struct {
	Bytes  int64 `json:"bytes"`
	Links  int   `json:"links"`
	Parse  int64 `json:"parse_us"` // time to find the links in it, in microseconds
	Visits int   `json:"visits"`
}

// crawler visits the pages of a queue's documents.
type crawler struct {
	client *client.Client
	queue  string
	http   *http.Client
}

// start pushes the first page.
func (c *crawler) start(ctx context.Context, base string) error {
	return c.push(ctx, []string{base + "/"})
}

// visit is the worker's handler: the subject of a document is the URL of a page.
func (c *crawler) visit(ctx context.Context, doc client.Leased) client.Resolution {
	var v visited
	if err := json.Unmarshal(doc.Payload, &v); err != nil {
		return client.RejectForGood(fmt.Errorf("read the payload: %w", err))
	}
	body, err := c.fetch(ctx, doc.Subject)
	if err != nil {
		return client.Reject(err)
	}
	v.Bytes = int64(len(body))
	v.Visits++
	isIndex := strings.HasSuffix(doc.Subject, "/")
	if isIndex {
		began, parsed := time.Now(), client.Timing(ctx, "parse")
		links, err := findLinks(doc.Subject, string(body))
		if err != nil {
			return client.Reject(err)
		}
		parsed()
		v.Parse, v.Links = time.Since(began).Microseconds(), len(links)
		// Pushed before the lease ends: a page that is complete has all its links in the queue.
		if err := c.push(ctx, links); err != nil {
			return client.Reject(err)
		}
	} else {
		client.Count(ctx, "bytes", float64(v.Bytes))
	}
	payload, err := json.Marshal(v)
	if err != nil {
		return client.Reject(err)
	}
	if isIndex && v.Visits == 1 {
		return client.Reschedule("+1s").WithPayload(payload)
	}
	return client.Complete().WithPayload(payload)
}

func (c *crawler) fetch(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read the page: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the page answered with status %d: %.100s", resp.StatusCode, bytes.TrimSpace(body))
	}
	return body, nil
}

// maxPush is how many documents one call may push.
const maxPush = 1_000

// push pushes links; those that stand in the queue are left alone, so each page is one document.
func (c *crawler) push(ctx context.Context, links []string) error {
	priority := directoryPriority
	for len(links) > 0 {
		n := min(len(links), maxPush)
		docs := make([]client.Push, 0, n)
		for _, link := range links[:n] {
			doc := client.Push{Subject: link}
			if strings.HasSuffix(link, "/") {
				doc.Priority = &priority
			}
			docs = append(docs, doc)
		}
		answer, err := c.client.Push(ctx, c.queue, client.PushRequest{Documents: docs})
		if err != nil {
			return fmt.Errorf("push %d links: %w", n, err)
		}
		for _, r := range answer.Results {
			if r.Outcome == client.OutcomeInvalid {
				return fmt.Errorf("push the link %s: %s", r.Subject, r.Detail)
			}
		}
		links = links[n:]
	}
	return nil
}

// findLinks returns the links of a page that lead down from it, without fragments. Only lists of directories are read
// for links: what the files link to may not exist.
func findLinks(from, body string) ([]string, error) {
	base, err := url.Parse(from)
	if err != nil {
		return nil, err
	}
	var links []string
	for z := html.NewTokenizer(strings.NewReader(body)); ; {
		switch z.Next() {
		case html.ErrorToken:
			if err := z.Err(); !errors.Is(err, io.EOF) {
				return nil, fmt.Errorf("read the page: %w", err)
			}
			return links, nil
		case html.StartTagToken:
			token := z.Token()
			for _, a := range token.Attr {
				if token.Data != "a" || a.Key != "href" {
					continue
				}
				to, err := base.Parse(a.Val)
				if err != nil {
					return nil, fmt.Errorf("read a link: %w", err)
				}
				to.Fragment = ""
				if link := to.String(); strings.HasPrefix(link, from) && link != from {
					links = append(links, link)
				}
			}
		}
	}
}
