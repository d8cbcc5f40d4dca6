package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/fetchq/server/internal/config"
)

// health is for a container's health check: images that run the program need no curl.
type health struct{}

const healthWait = 3 * time.Second

// Run asks the server's /readyz.
func (health) Run(ctx context.Context, cfg config.Config) error {
	host, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return fmt.Errorf("FETCHQ_LISTEN is %q; something like 127.0.0.1:8080 is wanted", cfg.Listen)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1" // a server that listens everywhere answers here too
	}
	scheme, client := "http://", &http.Client{Timeout: healthWait}
	if cfg.TLSCert != "" {
		// The certificate names the address that the world uses, not this one; what is asked here is no secret, nor is the answer.
		scheme, client.Transport = "https://", &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // see above
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+net.JoinHostPort(host, port)+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("nothing answers at %s: %w", cfg.Listen, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return fmt.Errorf("the server at %s answers half: %w", cfg.Listen, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server at %s is not ready (%s): %s", cfg.Listen, resp.Status, strings.TrimSpace(string(text)))
	}
	fmt.Println("ready")
	return nil
}
