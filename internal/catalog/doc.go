// Package catalog knows where backups go, which there are, and when they are made; and carries out runs, verifications and restores as operations.
//
//	destination   a name for a folder or a bucket, and what stays there
//	schedule      when a backup is made by itself; one whose moment passed while nobody was there is made once, as soon as somebody is
//	operation     a row in fetchq.operations of no queue: backup, verify or restore, of each sort one at a time
//	   │          claimed by a node for 15 seconds, which writes each second how far it is; that of a node that died is taken over
//	backup        what is known here of one: who made it, when it was read back and restored
//
// A destination is asked for what it has: a new installation finds the backups of an old one. What is known here stands beside it.
package catalog
