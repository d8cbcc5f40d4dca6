// Package archtest holds the tree to ARCHITECTURE.md: which package may import which, and what may stand only in some
// of them. It consists of tests; every rule is also tried on files that break it.
package archtest
