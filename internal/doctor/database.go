package doctor

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/schema"
)

const (
	fixDatabase = "check database-url, that the database runs, and that this user may use it"
	fixGrants   = "apply configs/platform/grants.sql for this role"
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
		r.fail(nameDatabase, fixConnection(url, err), "%v", err)
		return nil
	}
	r.pass(nameDatabase, "answers")
	return store
}

// fixConnection says what to do about an error of opening a database: by PostgreSQL's
// SQLSTATE, and for SQLite by the file.
func fixConnection(url string, err error) string {
	if path := sqliteFile(url); path != "" {
		return "check that " + path + " is the file that is meant, and that this user may use it; move a damaged one away, with its -wal and -shm, and run `gateway restore` with a backup"
	}
	switch catalog.SQLState(err) {
	case "28P01", "28000":
		return "correct the user and the password in database-url, or let pg_hba.conf admit this user from here"
	case "3D000":
		return "correct the database's name in database-url, or create the database"
	case "53300":
		return "raise max_connections, or put a pooler in front"
	case "57P03":
		return "wait: the database is starting or stopping"
	}
	return fixDatabase
}

// Catalog checks the gateway's database: that it answers, its schema, its columns and the
// rights to them, and the other programs that work on it, compared with this one's
// version. A SQLite file that does not exist yet is not made.
func (r *Report) Catalog(ctx context.Context, url string, clockLimit time.Duration, version string) {
	if path := sqliteFile(url); path != "" {
		if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
			if r.WritableDir(nameDatabase, "database-url", filepath.Dir(path)) {
				r.pass(nameSchema, "made when the gateway first starts")
			}
			return
		}
	}
	store := r.openCatalog(ctx, url)
	if store == nil {
		return
	}
	defer store.Close()
	r.together(ctx,
		Check{nameSchema, fixDatabase, func(ctx context.Context, r *Report) {
			if r.schema(ctx, store) {
				r.together(ctx,
					Check{nameTriggers, fixDatabase, func(ctx context.Context, r *Report) { r.triggers(ctx, store) }},
					GatewaysCheck(store, version),
					Check{nameSyncers, fixDatabase, func(ctx context.Context, r *Report) { r.syncers(ctx, store, version) }})
			}
		}},
		r.connection(store, clockLimit))
}

// SyncerCatalog checks the syncer's database, and runs more checks with it when it can be
// worked with. A SQLite file that does not exist yet is not made.
func (r *Report) SyncerCatalog(ctx context.Context, url string, clockLimit time.Duration, more func(*catalog.Store) []Check) {
	if path := sqliteFile(url); path != "" {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			r.warn(nameDatabase, "nothing, when it is new; else correct database-url or data-dir", "%s is not there yet and is made at the first start", path)
			return
		}
	}
	store := r.openCatalog(ctx, url)
	if store == nil {
		return
	}
	defer store.Close()
	r.together(ctx,
		Check{nameSchema, fixDatabase, func(ctx context.Context, r *Report) {
			if r.schema(ctx, store) {
				r.together(ctx, more(store)...)
			}
		}},
		r.connection(store, clockLimit))
}

// schema checks the schema's version, its columns and the tables of the job queue. It returns
// whether the tables can be worked with.
func (r *Report) schema(ctx context.Context, store *catalog.Store) bool {
	tables, current := r.migrations(ctx, store)
	if !tables || !r.columns(ctx, store) || !current {
		return false
	}
	if err := schema.Ready(ctx, store); err != nil {
		r.fail(nameSchema, "run `gateway migrate status`, then `gateway migrate up`", "%v", err)
		return false
	}
	return true
}

// migrations checks the schema's version. It returns whether there are tables whose columns can
// be checked, and whether this program can work with their version.
func (r *Report) migrations(ctx context.Context, store *catalog.Store) (tables, current bool) {
	st, err := schema.StatusOf(ctx, store)
	const up = "run `gateway migrate up`"
	switch {
	case err != nil:
		r.fail(nameSchema, up+", or "+fixGrants, "%v", err)
		return false, false
	case st.Fits() != nil:
		r.fail(nameSchema, "upgrade this program", "%v", st.Fits())
		return false, false
	case len(st.Pending()) == len(st.Migrations):
		r.fail(nameSchema, up, "the database has no schema of Lectern's yet")
		return false, false
	case len(st.Pending()) > 0:
		r.fail(nameSchema, up, "layout %s; the database lacks %s", st.Layout, st.Pending()[0])
		return true, false
	case len(st.Newer) > 0:
		r.pass(nameSchema, "layout %s, version %d of a newer Lectern, which this one can work with", st.Layout, st.Newer[len(st.Newer)-1])
	default:
		r.pass(nameSchema, "layout %s, up to date", st.Layout)
	}
	return true, true
}

func (r *Report) columns(ctx context.Context, store *catalog.Store) bool {
	problems, err := schema.ColumnProblems(ctx, store)
	if err != nil {
		r.fail(nameColumns, fixGrants, "%v", err)
		return false
	}
	for _, p := range problems {
		r.fail(nameColumns, "bring the platform's schema up to date, or apply configs/platform/grants.sql where a right is missing", "%s", p)
	}
	if len(problems) == 0 {
		r.pass(nameColumns, "all there")
	}
	return len(problems) == 0
}

// connection checks what stands between this program and the database.
func (r *Report) connection(store *catalog.Store, clockLimit time.Duration) Check {
	return Check{nameRole, fixDatabase, func(ctx context.Context, r *Report) {
		if store.Dialect() == catalog.SQLite {
			return
		}
		r.together(ctx,
			Check{nameRole, fixDatabase, func(ctx context.Context, r *Report) { r.role(ctx, store, clockLimit) }},
			Check{namePooler, fixDatabase, func(ctx context.Context, r *Report) { r.pooler(ctx, store) }})
	}}
}

// role warns of a superuser, and compares our clock with the database's.
func (r *Report) role(ctx context.Context, store *catalog.Store, clockLimit time.Duration) {
	asked := time.Now()
	role, err := schema.RoleOf(ctx, store)
	answered := time.Now()
	switch {
	case err != nil:
		r.fail(nameRole, fixDatabase, "%v", err)
		return
	case role.Superuser:
		r.warn(nameRole, "let database-url name a role of its own: configs/platform/grants.sql makes one beside the platform", "the role is %s, a superuser, who may read and change everything in every database", role.Name)
	default:
		r.pass(nameRole, "the role is %s, no superuser", role.Name)
	}
	r.Clock("the database", role.Clock, asked, answered, clockLimit)
}

// triggers warns of triggers that are missing.
func (r *Report) triggers(ctx context.Context, store *catalog.Store) {
	missing, err := schema.MissingTriggers(ctx, store)
	switch {
	case err != nil:
		r.fail(nameTriggers, fixDatabase, "%v", err)
	case len(missing) > 0:
		r.warn(nameTriggers, "apply configs/platform/notify.sql as the owner of the tables", "%d are missing, as %s: changes of access take effect only after auth-max-staleness", len(missing), missing[0])
	default:
		r.pass(nameTriggers, "changes of access are notified at once")
	}
}

// pooler warns of a pooler.
func (r *Report) pooler(ctx context.Context, store *catalog.Store) {
	pooled, notified, err := store.Pooled(ctx)
	switch {
	case err != nil:
		r.fail(namePooler, fixDatabase, "%v", err)
	case pooled && notified:
		r.warn(namePooler, "connect to the database itself if there are connections enough", "a pooler stands in between; notifications pass through it")
	case pooled:
		r.warn(namePooler, "connect gateways to the database itself, or accept auth-max-staleness", "a transaction-mode pooler stands in between, through which no notification passes: changes of access take effect only after auth-max-staleness")
	default:
		r.pass(namePooler, "none")
	}
}
