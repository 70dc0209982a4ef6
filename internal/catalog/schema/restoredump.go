package schema

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lectiospace/lectern/internal/catalog"
)

// verifyDump reads a whole dump, counts its rows, and checks its layout and versions.
func verifyDump(ctx context.Context, s *catalog.Store, path string) (b BackupFile, err error) {
	b = BackupFile{Path: path, rows: map[string]int64{}}
	st := Status{}
	since := map[int64]string{}
	err = readDump(ctx, path, "data", []string{"--schema=lectern", "--schema=public"}, func(script *bufio.Reader) error {
		return eachCopy(script, func(string) error { return nil }, func(c copyBlock) error {
			return c.eachRow(script, func(row map[string]string) {
				b.rows[c.table]++
				switch c.table {
				case "lectern.lectern_layout":
					b.Layout = Layout(row["layout"])
				case "lectern.lectern_goose_version":
					if v := number(row["version_id"]); v > 0 && row["is_applied"] == "t" {
						st.Migrations = append(st.Migrations, Migration{Version: v, Applied: true})
					}
				case "lectern.lectern_schema":
					since[number(row["version"])] = row["compatible_since"]
				}
			})
		})
	})
	if err != nil {
		return b, err
	}
	known, err := migrations(s.Dialect(), LayoutStandalone)
	if err != nil {
		return b, err
	}
	st.Known = known[len(known)-1].Version
	for _, m := range st.Migrations {
		if m.Version > st.Known {
			st.Newer, st.CompatibleSince = append(st.Newer, m.Version), m.Version
			if least := number(since[m.Version]); least > 0 {
				st.CompatibleSince = least
			}
		}
	}
	b.Version, err = lastApplied(st)
	return b, err
}

// restoreDump replaces Lectern's tables by those of a dump, in one transaction that is
// committed when every row has come. It returns how many of them referred to rows that the
// platform has no longer.
func restoreDump(ctx context.Context, s *catalog.Store, b BackupFile) (orphans int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends pg_restore, whatever it still has to say
	conn, err := pgx.ConnectConfig(ctx, s.ConnConfig())
	if err != nil {
		return 0, err
	}
	// Its end rolls back what is not committed.
	defer conn.Close(context.WithoutCancel(ctx))
	r := dumpRestore{ctx: ctx, conn: conn.PgConn(), b: b, schemas: []string{"--schema=lectern"}}
	if b.Layout == LayoutStandalone {
		r.schemas = append(r.schemas, "--schema=public")
	}
	for _, step := range []func() error{r.begin, r.drop, r.tables, r.rows, r.removeOrphans, r.constraints, r.commit} {
		if err := step(); err != nil {
			return 0, err
		}
	}
	return r.orphans, nil
}

// dumpRestore is one restore of a dump, on one connection in one transaction.
type dumpRestore struct {
	ctx     context.Context
	conn    *pgconn.PgConn
	b       BackupFile
	schemas []string // pg_restore's arguments
	post    string   // statements that come after the rows
	orphans int64
}

// exec runs statements and returns how many rows the last one affected.
func (r *dumpRestore) exec(statements string) (int64, error) {
	results, err := r.conn.Exec(r.ctx, statements).ReadAll()
	if err != nil || len(results) == 0 {
		return 0, err
	}
	return results[len(results)-1].CommandTag.RowsAffected(), nil
}

// begin starts the transaction. A lock that somebody else holds ends the restore instead
// of making every other program wait behind it.
func (r *dumpRestore) begin() error {
	_, err := r.exec(`BEGIN; SET LOCAL lock_timeout = '10s'`)
	return err
}

// drop removes everything of the schema lectern, which later versions may have added to,
// and standalone the catalog's tables.
func (r *dumpRestore) drop() error {
	statement := `DO $$
DECLARE
    command text;
BEGIN
    IF to_regnamespace('lectern') IS NULL THEN
        CREATE SCHEMA lectern;
    END IF;
    FOR command IN
        SELECT format('DROP TABLE lectern.%I CASCADE', relname) FROM pg_catalog.pg_class WHERE relnamespace = 'lectern'::regnamespace AND relkind IN ('r', 'p')
    LOOP
        EXECUTE command;
    END LOOP;
    FOR command IN
        SELECT format('DROP %s lectern.%I CASCADE', CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END, relname)
        FROM pg_catalog.pg_class WHERE relnamespace = 'lectern'::regnamespace AND relkind IN ('S', 'v', 'm')
        UNION ALL
        SELECT format('DROP ROUTINE %s CASCADE', oid::regprocedure) FROM pg_catalog.pg_proc WHERE pronamespace = 'lectern'::regnamespace
        UNION ALL
        SELECT format('DROP TYPE lectern.%I CASCADE', typname) FROM pg_catalog.pg_type WHERE typnamespace = 'lectern'::regnamespace AND typtype IN ('e', 'd')
    LOOP
        EXECUTE command;
    END LOOP;
END
$$;`
	if r.b.Layout == LayoutStandalone {
		for _, table := range catalogTables() {
			statement += "\nDROP TABLE IF EXISTS public." + table + " CASCADE;"
		}
	}
	_, err := r.exec(statement)
	return err
}

// tables creates what comes before the rows.
func (r *dumpRestore) tables() error {
	script, err := dumpScript(r.ctx, r.b.Path, "pre-data", r.schemas)
	if err == nil {
		_, err = r.exec(script)
	}
	return err
}

// rows copies the rows and compares how many have come with how many there are.
func (r *dumpRestore) rows() error {
	got := map[string]int64{}
	err := readDump(r.ctx, r.b.Path, "data", r.schemas, func(script *bufio.Reader) error {
		return eachCopy(script, func(statement string) error {
			_, err := r.exec(statement)
			return err
		}, func(c copyBlock) error {
			tag, err := r.conn.CopyFrom(r.ctx, &copyRows{script: script}, c.command)
			got[c.table] = tag.RowsAffected()
			return err
		})
	})
	if err != nil {
		return err
	}
	for table, want := range r.b.rows {
		if strings.HasPrefix(table, "public.") && r.b.Layout == LayoutPlatform {
			continue
		}
		if got[table] != want {
			return fmt.Errorf("%s has %d rows instead of %d", table, got[table], want)
		}
	}
	return nil
}

// reference is a foreign key as pg_restore writes it.
var reference = regexp.MustCompile(`ALTER TABLE ONLY (lectern\.\w+)\s+ADD CONSTRAINT \w+ FOREIGN KEY \((\w+)\) REFERENCES ([\w.]+)\((\w+)\)(?: ON DELETE (CASCADE|SET NULL))?`)

// removeOrphans does for rows that refer to what the platform has removed since the backup what
// their foreign keys would have done then. Removing one row may orphan another.
func (r *dumpRestore) removeOrphans() (err error) {
	if r.post, err = dumpScript(r.ctx, r.b.Path, "post-data", r.schemas); err != nil {
		return err
	}
	for changed := true; changed; {
		changed = false
		for _, m := range reference.FindAllStringSubmatch(r.post, -1) {
			orphan := fmt.Sprintf(` t WHERE %[1]s IS NOT NULL AND NOT EXISTS (SELECT 1 FROM %[2]s r WHERE r.%[3]s = t.%[1]s)`, m[2], m[3], m[4])
			var statement string
			switch m[5] {
			case "CASCADE":
				statement = "DELETE FROM " + m[1] + orphan
			case "SET NULL":
				statement = "UPDATE " + m[1] + strings.Replace(orphan, " t ", " t SET "+m[2]+" = NULL ", 1)
			default:
				continue
			}
			n, err := r.exec(statement)
			if err != nil {
				return err
			}
			r.orphans += n
			changed = changed || n > 0
		}
	}
	return nil
}

// constraints creates what comes after the rows, foreign keys among it.
func (r *dumpRestore) constraints() error {
	_, err := r.exec(r.post)
	return err
}

func (r *dumpRestore) commit() error {
	err := expireHeartbeats(func(statement string) error { _, err := r.exec(statement); return err },
		func(table string) (bool, error) { _, ok := r.b.rows["lectern."+table]; return ok, nil })
	if err == nil {
		_, err = r.exec("COMMIT")
	}
	return err
}

// catalogTables are the catalog's tables, in order.
func catalogTables() []string {
	names := map[string]bool{}
	for _, c := range columns() {
		names[c.table] = true
	}
	return slices.Sorted(maps.Keys(names))
}
