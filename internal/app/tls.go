package app

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateLook is how often the files of a certificate are looked at, at most: a renewed one is served from the next connection on.
const certificateLook = time.Second

// certificates serves TLS with a certificate from two files, and takes up new ones without a restart. Files that cannot be used while
// the program runs leave the one before in place, and are said in the log.
type certificates struct {
	cert, key string
	log       *slog.Logger
	now       func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
	made    [2]time.Time // when the files were changed that current came from
	looked  time.Time
	failed  string // what was logged last, so that it is logged once
}

// newCertificates reads the files. Errors: what is wrong with them, in a sentence.
func newCertificates(cert, key string, log *slog.Logger, now func() time.Time) (*certificates, error) {
	c := &certificates{cert: cert, key: key, log: log, now: now}
	if err := c.read(); err != nil {
		return nil, err
	}
	c.looked = now()
	return c, nil
}

// read takes up the files, if both are good.
func (c *certificates) read() error {
	made, err := c.times()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("FETCHQ_TLS_CERT %s and FETCHQ_TLS_KEY %s cannot be used together: %w", c.cert, c.key, err)
	}
	if end := pair.Leaf.NotAfter; c.now().After(end) {
		c.log.Warn("the certificate has ended; browsers and workers will refuse it", "file", c.cert, "ended_at", end)
	}
	c.current, c.made = &pair, made
	return nil
}

func (c *certificates) times() (made [2]time.Time, err error) {
	for i, name := range []string{c.cert, c.key} {
		info, err := os.Stat(name)
		if err != nil {
			return made, fmt.Errorf("a file of FETCHQ_TLS_CERT and FETCHQ_TLS_KEY cannot be read: %w", err)
		}
		made[i] = info.ModTime()
	}
	return made, nil
}

// get is called for each connection.
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now().Sub(c.looked) >= certificateLook {
		c.looked = c.now()
		made, err := c.times()
		if err == nil && made != c.made {
			if err = c.read(); err == nil {
				c.log.Info("a new certificate is served", "file", c.cert, "until", c.current.Leaf.NotAfter)
			}
		}
		c.say(err)
	}
	return c.current, nil
}

// say logs what is wrong with the files, once.
func (c *certificates) say(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != c.failed {
		c.log.Error("the certificate on disk cannot be taken up; the one before is served", "error", err)
	}
	c.failed = text
}

// config is how connections are secured: TLS 1.2 and later, with Go's own choice of ciphers.
func (c *certificates) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}
