// Package catalog knows the recordings, the people and who belongs where. It is
// the only package with SQL.
//
// # One set of queries, three homes
//
// The catalog is the platform's tables. They stand in one of three places, and
// the same queries run in all of them:
//
//   - a SQLite file of Lectern's own (standalone, the default),
//   - a PostgreSQL database of Lectern's own (standalone),
//   - the platform's PostgreSQL database, where Lectern changes no table and
//     keeps what is its own in the schema lectern.
//
// Queries are written as PostgreSQL spells them, with public. and lectern.
// before each table; dialect.go turns that into SQLite's spelling. Times are
// read and written through one type, DBTime.
//
// # Behind a pooler
//
// A transaction-mode pooler hands each transaction another session. Nothing
// here depends on a session: no named prepared statement, no SET, no session
// lock. Only Listen needs a real session, and nothing but the speed of news
// depends on Listen.
//
// # Faults
//
// NotFound means that the database answered and there is no such row. Whatever
// keeps the database from answering is Unavailable, and never anything else.
//
// # The cache of facts
//
// Cached stands between the Store and those who ask for every range request.
// Its invariants are in cached.go.
package catalog
