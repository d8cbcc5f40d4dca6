// Package api is the HTTP API for workers: what docs/api.md says, under /api/v1, and the probes at the root.
//
// huma describes the calls (OpenAPI 3.1 comes from the Go types of package client) and reads paths and queries. Bodies are
// read by package wire in place of huma's validator, which encodes documents anew and repeats their values in errors.
// The order of each call: request id, token, size, body, right and queue, one call of the engine, answer.
package api
