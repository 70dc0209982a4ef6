package doctor

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/schema"
)

const (
	databaseCheck = "database"
	schemaCheck   = "schema"
	columnsCheck  = "columns"
)

// sqliteFile is the path in a URL of a SQLite database, or "".
func sqliteFile(url string) string {
	path, _ := strings.CutPrefix(url, "sqlite://")
	if path == url {
		return ""
	}
	return path
}

// openCatalog reports whether the database answers; nil when it does not.
func (r *Report) openCatalog(ctx context.Context, url string) *catalog.Store {
	store, err := catalog.Open(ctx, url, slog.New(slog.DiscardHandler))
	if err == nil {
		if err = store.Ping(ctx); err != nil {
			store.Close()
		}
	}
	if err != nil {
		r.Fail(databaseCheck, "check database-url, that the database runs, and that this user may use it", "%v", err)
		return nil
	}
	r.Pass(databaseCheck, "answers")
	return store
}

// Catalog checks the gateway's database: that it answers, its schema, its columns and
// the rights to them. A SQLite file that is not there yet is not made.
func (r *Report) Catalog(ctx context.Context, url string) {
	if path := sqliteFile(url); path != "" {
		if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
			if r.WritableDir(databaseCheck, "database-url", filepath.Dir(path)) {
				r.Pass(schemaCheck, "made when the gateway first starts")
			}
			return
		}
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	store := r.openCatalog(ctx, url)
	if store == nil {
		return
	}
	defer store.Close()
	if r.migrations(ctx, store) {
		r.columns(ctx, store)
	}
}

// migrations checks the schema's version. It returns whether there are tables whose
// columns can be checked.
func (r *Report) migrations(ctx context.Context, store *catalog.Store) (tables bool) {
	st, err := schema.StatusOf(ctx, store)
	const up = "run `gateway migrate up`"
	switch {
	case err != nil:
		r.Fail(schemaCheck, up+", or apply configs/platform/grants.sql for this role", "%v", err)
		return false
	case st.Fits() != nil:
		r.Fail(schemaCheck, "upgrade this program", "%v", st.Fits())
	case len(st.Pending()) == len(st.Migrations):
		r.Fail(schemaCheck, up, "the database has no schema of Lectern's yet")
		return false
	case len(st.Pending()) > 0:
		r.Fail(schemaCheck, up, "the database lacks %s", st.Pending()[0])
	case len(st.Newer) > 0:
		r.Pass(schemaCheck, "%s, version %d of a newer Lectern, which this one can work with", st.Layout, st.Newer[len(st.Newer)-1])
	default:
		r.Pass(schemaCheck, "%s, up to date", st.Layout)
	}
	return true
}

func (r *Report) columns(ctx context.Context, store *catalog.Store) {
	problems, err := schema.ColumnProblems(ctx, store)
	if err != nil {
		r.Fail(columnsCheck, "apply configs/platform/grants.sql for this role", "%v", err)
		return
	}
	for _, p := range problems {
		r.Fail(columnsCheck, "bring the platform's schema up to date, or apply configs/platform/grants.sql where a right is missing", p)
	}
	if len(problems) == 0 {
		r.Pass(columnsCheck, "all there")
	}
}

// SyncerCatalog checks the syncer's database and returns it, or nil when it cannot be
// worked with. A SQLite file that is not there yet is not made.
func (r *Report) SyncerCatalog(ctx context.Context, url string) *catalog.Store {
	if path := sqliteFile(url); path != "" {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			r.Warn(databaseCheck, "nothing, when it is new; else correct database-url or data-dir", "%s is not there yet and is made at the first start", path)
			return nil
		}
	}
	store := r.openCatalog(ctx, url)
	if store == nil {
		return nil
	}
	if err := schema.Ready(ctx, store); err != nil {
		r.Fail(schemaCheck, "run `gateway migrate status`, then `gateway migrate up`", "%v", err)
		store.Close()
		return nil
	}
	r.Pass(schemaCheck, "as needed")
	return store
}
