// Package metrics keeps what happens in the queues for the pages that show it.
//
// Recent is the last 15 minutes, in memory: a service that reads the folded counters of all queues every 5 s, so that a page
// with a thousand of them asks the database nothing. It knows its queues by the samples alone, and what reads these is given
// to it: this package and package queue do not know each other.
//
// Store keeps series of all metrics in the database, in steps of 10 s that roll up to a minute, ten minutes and an hour, and
// reads them:
//
//	calls ──▶ q_<name>.deltas, q_<name>.measures ──fold──▶ fetchq.counters, fetchq.measures
//	                                                            │ Snapshot, every 10 s, one node
//	                        fetchq.series_3600 ◀── _600 ◀── _60 ◀── fetchq.series_10
//
// A row there is one queue with all its metrics (row.go, codec.go), timings among them as buckets (histogram.go). Snapshots is the
// service that takes the snapshots and looks after the partitions.
package metrics
