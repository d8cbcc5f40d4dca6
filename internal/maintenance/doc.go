// Package maintenance is the loop that keeps every queue in order: it marks due documents pending, takes back documents
// whose lease ran out, folds counters, removes what is kept no longer, and vacuums.
//
// The jobs are rows of fetchq.jobs, one for each queue and kind. Every node runs the loop and claims what is due with SKIP
// LOCKED, as much as it has free slots for, so that any number of nodes share the work and none is a leader. A slow job
// takes its slot and holds up nothing else; a vacuum has a slot that others do not wait for. The claim of a job that runs is
// lengthened while its node lives, and those of a node that died run out after 10 seconds. A queue's jobs go to sleep while
// it is idle, for 30 seconds at most, and whatever is written wakes them (fetchq.wakes). A job that fails, also because its
// queue is locked for more than 5 seconds, is tried again, ever later and for ever, and says so in its row.
package maintenance
