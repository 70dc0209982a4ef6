package schema

import (
	"context"
	"slices"
	"strings"

	"github.com/lectiospace/lectern/internal/catalog"
)

// bookkeeping are the tables of the schema lectern whose rows are no data: versions, a
// counter, and processes that are alive. A migration writes them again, or nobody misses
// them.
var bookkeeping = strings.Fields(`lectern_goose_version lectern_schema lectern_layout lectern_changes
	lectern_gateways lectern_syncers lectern_used_codes river_migration river_leader river_queue river_client river_client_queue`)

// HasData reports whether losing the database would lose something of Lectern's: a row in
// any table of its own that is not bookkeeping and, standalone, in any of the catalog's
// tables. Beside the platform these are not Lectern's, and no migration touches them.
func HasData(ctx context.Context, s *catalog.Store) (has bool, err error) {
	err = s.View(ctx, "schema: look for data", func(x catalog.Session) error {
		tables, err := dataTables(ctx, x)
		if err != nil {
			return err
		}
		for _, table := range tables {
			err := x.One(ctx, `SELECT EXISTS (SELECT 1 FROM `+table+`)`, nil, &has)
			if err != nil || has {
				return err
			}
		}
		return nil
	})
	return has, err
}

// dataTables are the existing tables whose rows are Lectern's data, with their schema.
func dataTables(ctx context.Context, x catalog.Session) ([]string, error) {
	layout, err := currentLayout(ctx, x)
	if err != nil {
		return nil, err
	}
	tables, err := ownTables(ctx, x)
	if err != nil || layout == LayoutPlatform {
		return tables, err
	}
	for _, c := range columns() {
		table := "public." + c.table
		if slices.Contains(tables, table) {
			continue
		}
		there, err := x.HasTable(ctx, "public", c.table)
		if err != nil {
			return nil, err
		}
		if there {
			tables = append(tables, table)
		}
	}
	return tables, nil
}

// ownTables are the existing tables of the schema lectern except for bookkeeping.
func ownTables(ctx context.Context, x catalog.Session) (tables []string, err error) {
	query := `SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'lectern' AND c.relkind IN ('r', 'p') ORDER BY 1`
	if x.Dialect() == catalog.SQLite {
		// Virtual tables, and those in which they keep what they derive from others, are no data.
		query = `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND (substr(name, 1, 8) = 'lectern_' OR substr(name, 1, 6) = 'river_') ORDER BY 1`
	}
	err = x.Each(ctx, query, nil, func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		if err == nil && !slices.Contains(bookkeeping, name) {
			tables = append(tables, "lectern."+name)
		}
		return err
	})
	return tables, err
}
