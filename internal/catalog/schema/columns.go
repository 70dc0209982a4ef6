package schema

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// neededColumns is what Lectern reads and writes of the platform's tables, with
// the kind of type each must have. Beside the platform they are checked instead
// of trusted: live databases drift from the platform's migrations.
const neededColumns = `
accounts_customuser id:int email:text role:text is_active:bool first_name:text last_name:text middle_name:text
	zoom_account_id:text zoom_client_id:text zoom_client_secret:text zoom_user_id:text gdrive_folder_id:text
	date_joined:time created_at:time updated_at:time
schedule_group id:int name:text teacher_id:int description:text created_at:time updated_at:time
schedule_group_students id:int group_id:int customuser_id:int
schedule_lesson id:int title:text group_id:int teacher_id:int start_time:time end_time:time ended_at:time
	zoom_meeting_id:text record_lesson:bool recording_available_for_days:int is_quick_lesson:bool notes:text
	created_at:time updated_at:time
schedule_lessonrecording id:int lesson_id:int teacher_id:int title:text zoom_recording_id:text download_url:text
	play_url:text thumbnail_url:text recording_type:text recording_start:time recording_end:time
	storage_provider:text archive_key:text archive_url:text archive_size_bytes:int archived_at:time
	gdrive_file_id:text gdrive_folder_id:text file_size:int duration:int status:text visibility:text
	available_until:time views_count:int is_deleted:bool deleted_at:time deleted_by_id:int deletion_reason:text
	created_at:time updated_at:time
schedule_lessonrecording_allowed_groups id:int lessonrecording_id:int group_id:int
schedule_lessonrecording_allowed_students id:int lessonrecording_id:int customuser_id:int
schedule_teacherstoragequota id:int teacher_id:int total_quota_bytes:int used_bytes:int recordings_count:int
	purchased_gb:int warning_sent:bool last_warning_at:time quota_exceeded:bool created_at:time updated_at:time
`

// columnTypes are PostgreSQL's types (as format_type writes them, without a
// length) that serve as each kind.
var columnTypes = map[string][]string{
	"int":  {"bigint", "integer", "smallint"},
	"text": {"character varying", "text"},
	"bool": {"boolean"},
	"time": {"timestamp with time zone"},
}

// column is one needed column.
type column struct{ table, name, kind string }

func (c column) String() string { return c.table + "." + c.name }

// columns reads neededColumns: a word without a colon begins a table.
func columns() []column {
	var (
		out   []column
		table string
	)
	for word := range strings.FieldsSeq(neededColumns) {
		name, kind, ok := strings.Cut(word, ":")
		if !ok {
			table = word
			continue
		}
		out = append(out, column{table, name, kind})
	}
	return out
}

// found is a column as it stands in the database.
type found struct {
	typeName string
	readable bool
}

// The system catalogs show every column; information_schema would hide those the
// role has no right to, and a missing right would look like a missing column.
const selectColumnsPostgres = `
SELECT c.relname, a.attname, format_type(a.atttypid, NULL), has_column_privilege(c.oid, a.attnum, 'SELECT')
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND (c.relname LIKE 'accounts\_%' OR c.relname LIKE 'schedule\_%')
  AND c.relkind IN ('r', 'p', 'v', 'f') AND a.attnum > 0 AND NOT a.attisdropped`

const selectColumnsSQLite = `
SELECT m.name, p.name, p.type, TRUE FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table'`

// checkColumns compares the tables with what is needed and gives one line for
// each column that is missing, unreadable or of another type. SQLite's types say
// nothing about its values, and are not compared.
func checkColumns(ctx context.Context, x catalog.Session) (problems []string, err error) {
	query := selectColumnsPostgres
	if x.Dialect() == catalog.SQLite {
		query = selectColumnsSQLite
	}
	have, tables := map[[2]string]found{}, map[string]bool{}
	err = x.Each(ctx, query, nil, func(scan func(...any) error) error {
		var (
			table, name string
			f           found
		)
		err := scan(&table, &name, &f.typeName, &f.readable)
		have[[2]string{table, name}], tables[table] = f, true
		return err
	})
	if err != nil {
		return nil, err
	}
	missing := ""
	for _, c := range columns() {
		f, ok := have[[2]string{c.table, c.name}]
		switch {
		case !tables[c.table]:
			if missing != c.table {
				problems = append(problems, c.table+" is missing")
			}
			missing = c.table
		case !ok:
			problems = append(problems, c.String()+" is missing")
		case x.Dialect() == catalog.Postgres && !slices.Contains(columnTypes[c.kind], f.typeName):
			problems = append(problems, fmt.Sprintf("%s is %s and should be %s", c, f.typeName, strings.Join(columnTypes[c.kind], " or ")))
		case !f.readable:
			problems = append(problems, c.String()+" may not be read by this role: apply configs/platform/grants.sql")
		}
	}
	return problems, nil
}

// columnsError is the error that lists every problem, or nil.
func columnsError(op string, problems []string) error {
	if len(problems) == 0 {
		return nil
	}
	return media.Faultf(media.Invalid, op, "the catalog's tables are not as needed: %s", strings.Join(problems, "; "))
}
