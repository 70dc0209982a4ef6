package syncertest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/document"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/pgtest"
)

// catalogYAML is the catalog of the tests: lesson 1 of teacher 1 at ten, the same meeting id a week
// later (lesson 2), lesson 3 of teacher 2.
const catalogYAML = `
people:
  - {email: anna@school.test, role: teacher, zoom_account_id: acc-1, zoom_client_id: client-1, zoom_client_secret: secret-1, zoom_user_id: host-1, gdrive_folder_id: shared-anna}
  - {email: boris@school.test, role: teacher, zoom_account_id: acc-2, zoom_client_id: client-2, zoom_client_secret: secret-2, zoom_user_id: host-2, gdrive_folder_id: shared-boris}
  - {email: student@school.test, role: student}
groups:
  - {name: 7A, teacher: anna@school.test, students: [student@school.test]}
  - {name: 8B, teacher: boris@school.test}
lessons:
  - {title: Algebra, group: 7A, teacher: anna@school.test, start: %[1]s, end: %[2]s, zoom_meeting_id: 86412345678, record: true}
  - {title: Algebra again, group: 7A, teacher: anna@school.test, start: %[3]s, end: %[4]s, zoom_meeting_id: 86412345678, record: true}
  - {title: History, group: 8B, teacher: boris@school.test, start: %[1]s, end: %[2]s, zoom_meeting_id: 90012345678, record: true, available_days: 30}
`

// LessonStart is when lesson 1 began: this morning, over for hours.
var LessonStart = time.Now().UTC().Add(-5 * time.Hour).Truncate(time.Minute)

func stampText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// fillCatalog makes the schema and the lessons in an empty database.
func fillCatalog(ctx context.Context, url string) error {
	db, err := catalog.Open(ctx, url, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := schema.Up(ctx, db); err != nil {
		return err
	}
	week := 7 * 24 * time.Hour
	doc := fmt.Sprintf(catalogYAML, stampText(LessonStart), stampText(LessonStart.Add(time.Hour)), stampText(LessonStart.Add(week)), stampText(LessonStart.Add(week+time.Hour)))
	_, err = document.Apply(ctx, db, strings.NewReader(doc), false)
	return err
}

// filledSQLite is such a database, made once.
var filledSQLite = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "catalog")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "lectern.db")
	if err := fillCatalog(context.Background(), "sqlite://"+path); err != nil {
		return nil, err
	}
	return os.ReadFile(path) // closing wrote its journal back
})

// filledPostgres makes copies of such a database.
var filledPostgres = pgtest.Template{Fill: func(t testing.TB, url string) {
	if err := fillCatalog(t.Context(), url); err != nil {
		t.Fatal(err)
	}
}}
