// Package queue is the engine: a thin typed caller of the SQL functions in schema fetchq, the hub on which picks wait,
// and the low-water marks that keep picks fast while a snapshot is held.
//
// A document moves between five states (docs/api.md has the whole table):
//
//	        push            due             pick
//	(new) ───────▶ planned ─────▶ pending ───────▶ active ──▶ completed, killed, gone
//	                  ▲              ▲                │
//	                  └──────────────┴────────────────┘
//	               reschedule, reject, or the lease runs out
//
// A lease is a fencing token: a number that never comes again for its subject. Whoever resolves or extends names it, and
// one that is over changes nothing.
//
// What one call returns stands committed. A call that fails on a deadlock or a serialisation failure is made again.
package queue
