//go:build !race

package dbtest

// Raced says whether the race detector watches. What is long and has nothing for it to find is left to the run without it, on the
// oldest Postgres.
const Raced = false
