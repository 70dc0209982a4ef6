package catalog

import (
	"regexp"

	"github.com/lectiospace/lectern/internal/media"
)

// platformWrite is a statement that changes a table which is not Lectern's own. All
// statements spell tables as PostgreSQL has them, with their schema.
var platformWrite = regexp.MustCompile(`(?i)\b(?:INSERT\s+INTO|MERGE\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE(?:\s+TABLE)?)\s+(?:ONLY\s+)?public\.`)

// ProtectPlatform is a Store on the same connections whose Sessions refuse, with
// media.Denied, every statement that changes a row of the tables that are the platform's.
// Closing either Store closes both.
func (s *Store) ProtectPlatform() *Store {
	protected := &Store{db: s.db, dialect: s.dialect, log: s.log, path: s.path, connConfig: s.connConfig, writer: s.writer, statements: s.statements, protected: true, statementTimeout: s.statementTimeout}
	protected.password.Store(s.password.Load())
	return protected
}

// permit is an error for a statement that a protected Store refuses.
func (s *Store) permit(query string) error {
	if s.protected && platformWrite.MatchString(query) {
		return media.Faultf(media.Denied, "catalog: write", "the platform's tables are protected")
	}
	return nil
}
