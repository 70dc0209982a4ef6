package catalogtest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/catalog"
)

var (
	createTable = regexp.MustCompile(`(?s)\nCREATE TABLE public\.(\w+) \(\n(.*?)\n\);`)
	copyBlock   = regexp.MustCompile(`(?s)\nCOPY public\.(\w+) \(([^)]*)\) FROM stdin;\n(.*?)\\\.\n`)
)

// seed puts the platform's demo rows into a standalone database, as far as it has the
// tables and columns.
func seed(t testing.TB, db *DB) *DB {
	t.Helper()
	types := columnTypes()
	err := db.Update(t.Context(), "seed", func(x catalog.Session) error {
		for _, block := range copyBlock.FindAllStringSubmatch(PlatformSQL, -1) {
			if err := seedTable(t, x, block[1], strings.Split(block[2], ", "), block[3], types[block[1]]); err != nil {
				return fmt.Errorf("seed %s: %w", block[1], err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// columnTypes are the types of each table's columns, as the platform declares them.
func columnTypes() map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, table := range createTable.FindAllStringSubmatch(PlatformSQL, -1) {
		columns := map[string]string{}
		for line := range strings.Lines(table[2]) {
			words := strings.Fields(line)
			columns[words[0]] = strings.TrimSuffix(words[1], ",")
		}
		out[table[1]] = columns
	}
	return out
}

// seedTable inserts the rows of one COPY block.
func seedTable(t testing.TB, x catalog.Session, table string, names []string, rows string, types map[string]string) error {
	have, err := tableColumns(t, x, table)
	if err != nil || len(have) == 0 {
		return err
	}
	for line := range strings.Lines(rows) {
		var (
			columns, marks []string
			args           []any
		)
		for i, field := range strings.Split(strings.TrimSuffix(line, "\n"), "\t") {
			if field == `\N` || !slices.Contains(have, names[i]) {
				continue
			}
			value, err := parse(field, types[names[i]])
			if err != nil {
				return fmt.Errorf("%s: %w", names[i], err)
			}
			args = append(args, value)
			columns, marks = append(columns, names[i]), append(marks, "$"+strconv.Itoa(len(args)))
		}
		if _, err := x.Exec(t.Context(), fmt.Sprintf("INSERT INTO public.%s (%s) VALUES (%s)", table, strings.Join(columns, ", "), strings.Join(marks, ", ")), args...); err != nil {
			return err
		}
	}
	if x.Dialect() == catalog.SQLite {
		return nil
	}
	// Rows with ids of their own do not move the sequence.
	_, err = x.Exec(t.Context(), fmt.Sprintf("SELECT setval(pg_get_serial_sequence('public.%[1]s', 'id'), max(id)) FROM public.%[1]s", table))
	return err
}

// tableColumns are the names of a table's columns, none where there is no such table.
func tableColumns(t testing.TB, x catalog.Session, table string) (names []string, err error) {
	query := `SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1`
	if x.Dialect() == catalog.SQLite {
		query = `SELECT name FROM pragma_table_info($1)`
	}
	err = x.Each(t.Context(), query, []any{table}, func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		names = append(names, name)
		return err
	})
	return names, err
}

// parse reads a field of a COPY block as a value of its column's type.
func parse(field, kind string) (any, error) {
	switch kind {
	case "bigint", "integer":
		return strconv.ParseInt(field, 10, 64)
	case "boolean":
		return field == "t", nil
	case "timestamp":
		var at catalog.DBTime
		err := at.Scan(field)
		return at, err
	default:
		return strings.ReplaceAll(field, `\n`, "\n"), nil
	}
}
