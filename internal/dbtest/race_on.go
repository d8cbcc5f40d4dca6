//go:build race

package dbtest

// Raced says whether the race detector watches.
const Raced = true
