// Package schema creates and checks the tables: migrations, the column check beside the
// platform's tables, backups and restores, and River's tables.
package schema
