// Package audit keeps the audit log: who did what, to what, from where, and what was refused.
//
// A request has a trail, which its context carries: who asks, from where, and what a handler has to say of it. What changes in a
// transaction of ours is written in that transaction (Write); what the engine does is written right after it (Log.Done); what was
// refused, and what machines do all day, is counted, so that who repeats it writes one line a minute (Log.Count).
//
//	guard, authenticate ──▶ Trail ──▶ store: Write in its transaction ──┐
//	                          │                                        ├──▶ fetchq_audit.lines
//	                          └─────▶ the request's end: Done, Count ──┘
//
// Lines are never changed: a trigger refuses it, and where another role owns the schema (docs/audit.md) the program's role cannot
// remove the trigger. Holds says which of it is so.
package audit
