//go:build race

package auth

// Under the race detector, which only tests are built with, a hash of the real costs takes a second; one of these takes as long as a
// real one does without it.
const (
	argonPasses = 1
	argonMemory = 8 << 10 // KiB
)
