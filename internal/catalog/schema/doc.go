// Package schema creates and checks the tables: migrations, the column check beside the
// platform's tables, backups before a migration, and River's tables.
package schema
