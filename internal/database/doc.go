// Package database opens the pool, brings a database up to date, and turns the errors of Postgres into ours.
//
// Tables change by numbered migrations (goose); the functions, which are the engine, are dropped and created anew
// whenever the hash of their text differs from the one that the database holds. Both happen under one advisory lock,
// so any number of processes may start at the same moment.
package database
