// Package embedpg runs a private Postgres for the zero-configuration start: it finds the programs, makes the cluster,
// starts and stops the server, starts it again when it dies, and adopts one that a killed program left behind.
//
// A data directory holds:
//
//	postgres/       the cluster; its file fetchq.json says that it is ours
//	postgres.new/   a cluster being made; what an interrupted start left there is made anew
//	password        of the role fetchq
//	port            where the server listened last, and listens again if it can
//	secret.key      the key under which secrets are kept in the database; the program's, not Postgres's
//	*.lock          see locks.go
//
// Postgres never runs as root. A program that runs as root gives the cluster to the user postgres (else nobody); where
// that user cannot reach the data directory or the programs, both move below /var/lib/fetchq, and Server.Note says so.
package embedpg
