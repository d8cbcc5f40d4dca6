// Package migrations holds the SQL of the database: numbered migrations of the tables, and the functions that are the
// engine, one file a noun, re-applied whole when their hash changes.
package migrations

import "embed"

// Tables are the numbered migrations.
//
//go:embed *.sql
var Tables embed.FS

// Functions are the files of the SQL functions, in the folder functions.
//
//go:embed functions/*.sql
var Functions embed.FS
