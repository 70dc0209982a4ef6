package catalog_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// TestProtectPlatform: every writing statement of the syncer's store on a table of the
// platform's is refused, and none on Lectern's own or a reading one.
func TestProtectPlatform(t *testing.T) {
	db, err := catalog.Open(t.Context(), "sqlite://"+filepath.Join(t.TempDir(), "x.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	refused := func(statement string) bool {
		err := db.ProtectPlatform().View(t.Context(), "test", func(x catalog.Session) error {
			_, err := x.Exec(t.Context(), statement)
			return err
		})
		return media.KindOf(err) == media.Denied
	}
	files, err := filepath.Glob("../syncer/store/*.go")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	statement := regexp.MustCompile("`\\s*((?:INSERT|UPDATE|DELETE|SELECT)[^`]*)`")
	writes := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, found := range statement.FindAllSubmatch(text, -1) {
			s := string(found[1])
			want := !strings.HasPrefix(s, "SELECT") && regexp.MustCompile(`^\w+ (INTO |FROM )?public\.`).MatchString(s)
			if s == "DELETE FROM " {
				s, want = s+"public.schedule_lessonrecording_allowed_groups", true
			}
			if want {
				writes++
			}
			if refused(s) != want {
				t.Errorf("refused %t, want %t: %s", !want, want, s)
			}
		}
	}
	if writes < 12 {
		t.Errorf("only %d writing statements were found", writes)
	}
}
