// Package operations does work on many documents that is asked for once: runs, retries, kills, drops, completions, new dates and
// priorities, moves to another queue, and imports.
//
//	asked for      a row in fetchq.operations, with what is asked and by whom
//	   │           one operation of a queue runs at a time, the others stand in line
//	claimed        by a node, for 10 seconds; each batch lengthens the claim, and that of a node that died runs out
//	   │
//	batch          find documents, lock those that nobody holds, look at them again, change them, write how far it is:
//	   │ ▲         one transaction, so that a crash at any line repeats nothing and leaves nothing out
//	   └─┘         a batch takes about 75 ms; while workers work a pause follows
//	done, failed or canceled
//
// The batches are SQL functions (migrations/functions/operation_*.sql); this package paces them, and reads the lines of imports.
package operations
