// Package auth knows who calls: bearer tokens with rights and queues.
package auth
