// Package catalog has the connections to the catalog's database, its sessions, the
// look-ups of a stream, and the loading cache in front of them.
//
// SQL is in this package and below it, in library, and in syncer/store; everybody else
// calls those. catalog/schema has the migrations, the check of the platform's columns, the
// backup and River's tables; catalog/document the YAML that people apply and export.
//
// # One set of queries, three kinds of database
//
// The catalog is the platform's tables. They are in one of three databases, and the same
// queries run in all of them:
//
//   - a SQLite file of Lectern's own (standalone, the default),
//   - a PostgreSQL database of Lectern's own (standalone),
//   - the platform's PostgreSQL database, where Lectern changes no table and keeps its own
//     in the schema lectern.
//
// Queries are written as PostgreSQL spells them, with public. and lectern. before each
// table; Dialect rewrites that for SQLite. Times are read and written through one type,
// DBTime.
//
// # Behind a pooler
//
// A transaction-mode pooler gives each transaction another session. Nothing here depends
// on a session: no named prepared statement, no SET, no session lock. Only Listen needs a
// session of its own, and only how soon a change takes effect depends on Listen.
//
// # Errors
//
// NotFound means that the database answered and there is no such row. Whatever keeps the
// database from answering is Unavailable, and never anything else.
//
// # The loading cache
//
// Cache is between the Store and the requests of every stream. Its rules are at its
// type.
package catalog
