//go:build !race

package auth

// Costs of argon2id: passes over so much memory. docs/performance.md has what one hash takes.
const (
	argonPasses = 3
	argonMemory = 48 << 10 // KiB
)
