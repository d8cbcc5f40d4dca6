// Package bench is the load generator behind fetchq bench: it pushes, picks and resolves by SQL and over HTTP, and says how
// fast that went and what it cost the database. It runs the barest SQL of the same work beside it, the raw limit, so that a
// figure is a ratio and not a praise of the machine.
//
// Every workload gets a queue of its own with a name that nobody else has, bench_ and 20 random letters. Nothing else is
// written to, and whatever was made is dropped at the end, also after an error or an interrupt.
package bench
