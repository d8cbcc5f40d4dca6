// Package maintenance is the loop that keeps every queue in order: it marks due documents pending, takes back documents
// whose lease ran out, folds counters, removes what is kept no longer, and vacuums.
//
// The jobs are rows of fetchq.jobs, one for each queue and kind. Every node runs the loop and claims what is due with SKIP
// LOCKED, so that any number of nodes share the work and none is a leader; the claims of a node that died run out. A
// queue's jobs go to sleep while it is idle, for 30 seconds at most, and whatever is written wakes them. A job that fails
// is tried again, ever later and for ever, and says so in its row.
package maintenance
