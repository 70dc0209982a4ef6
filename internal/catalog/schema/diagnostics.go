package schema

import (
	"context"
	"fmt"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
)

// Role is whom the database takes this program for.
type Role struct {
	// Name is "" on SQLite, which has no roles.
	Name      string
	Superuser bool
	// Clock is the database's, in whole microseconds.
	Clock time.Time
}

// RoleOf reads the role of the connections of s, and the database's clock. SQLite runs in this
// process and has neither: the zero Role.
func RoleOf(ctx context.Context, s *catalog.Store) (r Role, err error) {
	if s.Dialect() == catalog.SQLite {
		return Role{}, nil
	}
	var clock catalog.DBTime
	err = s.Row(ctx, "schema: role", `SELECT rolname, rolsuper, clock_timestamp() FROM pg_catalog.pg_roles WHERE rolname = current_user`, nil, &r.Name, &r.Superuser, &clock)
	r.Clock = clock.Time
	return r, err
}

// watchedTables are those with triggers that notify gateways of a change of access.
var watchedTables = []string{
	"accounts_customuser", "schedule_group", "schedule_group_students", "schedule_lesson", "schedule_lessonrecording",
	"schedule_lessonrecording_allowed_groups", "schedule_lessonrecording_allowed_students",
}

// MissingTriggers lists the triggers on PostgreSQL without which gateways learn of changes
// late, as table.trigger. A disabled one is missing. SQLite's come with the migrations and are
// not looked at.
func MissingTriggers(ctx context.Context, s *catalog.Store) (missing []string, err error) {
	if s.Dialect() == catalog.SQLite {
		return nil, nil
	}
	have := map[string]bool{}
	err = s.Rows(ctx, "schema: triggers", catalog.LookupTimeout, `SELECT c.relname, t.tgname
		FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'public' AND t.tgenabled IN ('O', 'A')`, nil, func(scan func(...any) error) error {
		var table, trigger string
		err := scan(&table, &trigger)
		have[table+"."+trigger] = true
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, table := range watchedTables {
		for _, trigger := range []string{"lectern_notify", "lectern_notify_update"} {
			if name := fmt.Sprintf("%s.%s", table, trigger); !have[name] {
				missing = append(missing, name)
			}
		}
	}
	return missing, nil
}
