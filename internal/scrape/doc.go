// Package scrape serves what Prometheus scrapes: how all queues stand, how far behind maintenance is, and figures of the
// program itself.
//
//	queue.Summaries, queue.JobLags, metrics.Kept, database.ReadStat, Options.Backups ──look, at most once a second──▶ standing
//	a standing ──families (families.go, histogram.go)──▶ promhttp ──▶ text, OpenMetrics or protobuf
//
// A look is five statements over what folds and snapshots have put together, however full the queues are, and once a minute what the register of backups tells. Where the database does not answer within
// lookTime, the figures of the program are served alone, with fetchq_database_up 0.
package scrape
