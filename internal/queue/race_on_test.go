//go:build race

package queue_test

import "flag"

// Under the race detector a script takes three times as long, and it is Postgres that most of them try: there are fewer, unless a
// flag says how many. All are played without it, on the oldest Postgres.
func init() {
	if err := flag.Set("rapid.checks", "40"); err != nil {
		panic(err)
	}
}
