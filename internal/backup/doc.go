// Package backup writes queues to a destination outside the database, lists and verifies what stands there, and restores it.
//
// A backup is a tar of COPY text, packed with zstd and perhaps encrypted with age, in volumes of at most 40 GB, and a manifest beside it
// that is written last and makes it valid. docs/backup-format.md describes it for whoever reads one without this program.
package backup
