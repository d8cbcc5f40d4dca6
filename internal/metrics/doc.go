// Package metrics keeps what happens in the queues for the pages that show it.
//
// Recent is the last 15 minutes, in memory: a service that reads the folded counters of all queues every 5 s, so that a page
// with a thousand of them asks the database nothing. It knows its queues by the samples alone, and what reads these is given
// to it: this package and package queue do not know each other.
package metrics
