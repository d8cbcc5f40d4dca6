// Package dbtest gives each test a database of its own on a real Postgres.
//
// The first test of a process starts a private server of the major version that FETCHQ_TEST_PG asks for (15 or 18; 18
// where it is empty) and migrates one template database; each test gets a clone of it. The server ends with the process,
// also when that is killed, and its folder with it.
package dbtest
