package layers

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// tableRule says which tables one directory may name in SQL. A file narrows the rule to
// one file of the directory.
type tableRule struct {
	dir, file string
	tables    string
	why       string
}

const (
	people     = "accounts_customuser schedule_group schedule_group_students "
	lessons    = "schedule_lesson "
	recordings = "schedule_lessonrecording schedule_lessonrecording_allowed_groups schedule_lessonrecording_allowed_students "
	quotas     = "schedule_teacherstoragequota "
)

// tableRules is the allow-list: what is not in it may not be named. A directory may have
// several rules.
var tableRules = []tableRule{
	{"internal/catalog", "", people + lessons + recordings, "the look-ups of a stream"},
	{"internal/catalog", "", "lectern_ingests", "recordings whose archived bytes are new, and the digest of archived bytes"},
	{"internal/catalog", "", "lectern_copies", "recordings that were moved: whose bytes theirs are"},
	{"internal/catalog", "companions.go", "lectern_recording_files lectern_copies", "the files beside a recording that are streamed"},
	{"internal/catalog", "heartbeat.go", "lectern_gateways", "gateways that are alive"},
	{"internal/catalog", "listen.go", "lectern_changes", "SQLite's counter of changes"},
	{"internal/catalog/schema", "", people + lessons + recordings + quotas, "the columns that must be there"},
	{"internal/catalog/schema", "", "lectern_layout lectern_goose_version lectern_schema", "which versions are applied"},
	{"internal/catalog/schema", "data.go", "lectern_changes lectern_gateways lectern_syncers lectern_used_codes river_migration river_leader river_queue river_client river_client_queue", "the tables whose rows are no data"},
	{"internal/catalog/schema", "restore.go", "lectern_gateways lectern_syncers", "programs that are alive, during whose life nothing is restored"},
	{"internal/catalog/schema", "restoresqlite.go", "lectern_gateways lectern_syncers", "programs that were alive when the backup was made"},
	{"internal/catalog/schema/migrations/postgres", "", "public.* lectern.*", "creates every table"},
	{"internal/catalog/schema/migrations/sqlite", "", "public.* lectern.*", "creates every table"},
	{"internal/catalog/document", "", people + lessons + recordings, "what a document describes"},
	{"internal/catalog/catalogtest", "", "public.*", "the demo data and the large data set of tests"},
	{"internal/library", "", people + lessons + recordings + quotas, "lists, edits and quotas"},
	{"internal/library", "", "lectern_views lectern_starts lectern_captions", "its own: views, starts of playback, captions to read"},
	{"internal/library", "", "lectern_ingests lectern_purges", "why a recording is not ready, and whether it can be restored"},
	{"internal/catalog", "usedcodes.go", "lectern_used_codes", "codes and sign-ins that cannot be used again"},
	{"internal/library", "watchstaterows.go", "lectern_watch_states", "how far users are in recordings"},
	{"internal/library", "audience.go", "lectern_watch_states", "how far a recording's students are"},
	{"bench/cmd/watchbench", "", "lectern_watch_states", "how many states are stored"},
	{"internal/library", "searchindex.go", "lectern_transcripts lectern_search_blocks lectern_search_gone", "transcripts as they are searched"},
	{"internal/library", "searchblocks.go", "lectern_search_postings", "transcripts as they are searched"},
	{"bench/cmd/searchbench", "", "lectern_captions", "how many captions there are, and their size"},
	{"internal/library", "searchshow.go", "lectern_transcripts", "transcripts as they are searched"},
	{"internal/library", "lists.go", "lectern_recording_files", "whether a recording has a poster"},
	{"internal/library", "editor.go", "accounts_subscription", "a teacher may edit while their subscription is active"},
	{"internal/syncer/store", "", people + lessons + recordings + quotas, "the rows that the syncer matches, publishes and charges"},
	{"internal/syncer/store", "", "lectern_alerts lectern_backfills lectern_backfill_meetings lectern_captions lectern_chapters lectern_copies lectern_derivations lectern_history lectern_ingests lectern_moves lectern_purges lectern_quota_charges lectern_recording_files lectern_resyncs lectern_runs lectern_syncers lectern_transcripts lectern_captions_removed lectern_search_blocks lectern_search_postings " +
		"lectern_zoom_cursors lectern_zoom_events lectern_zoom_files lectern_zoom_meetings lectern_zoom_tenants", "the syncer's own tables"},
	{"internal/syncer/store", riverFile, "lectern_ingests river_job river_leader", "River's private tables, whose columns may change with its version, and the ingests that wait in them"},
	{"internal/syncer/syncertest", "inspect.go", "lectern_captions river_job", "the captions that viewers are given, and when a test has no job left to wait for"},
	{"internal/syncer/syncertest", "platform.go", people + lessons + recordings + quotas, "what a syncer must leave as it was"},
	{"configs/platform", "", "public.*", "grants, triggers and indexes that operators apply to the platform's database"},
}

// riverFile is the one file of the program that may name River's private tables. It says which
// version of River it was checked against.
const riverFile = "riverjobs.go"

var (
	createsTable = regexp.MustCompile(`(?i)CREATE TABLE (?:IF NOT EXISTS )?(?:public\.|lectern\.)?(\w+)`)
	tableWord    = regexp.MustCompile(`\b(?:accounts|schedule|lectern|river)_\w+`)
	// fromTable is a name where SQL has nothing but a table.
	fromTable = regexp.MustCompile(`\b(?:FROM|JOIN|INTO|UPDATE|TABLE)\s+(?:public\.|lectern\.)?((?:accounts|schedule|lectern|river)_\w+)`)
)

// knownTables are the tables that the migrations, the platform, goose and River create.
func knownTables(t *testing.T, root string) map[string]bool {
	t.Helper()
	known := map[string]bool{"lectern_goose_version": true}
	for _, name := range []string{"river_job", "river_leader", "river_queue", "river_client", "river_client_queue", "river_migration"} {
		known[name] = true
	}
	scripts, err := filepath.Glob(filepath.Join(root, "internal/catalog/schema/migrations/*/*.sql"))
	if err != nil || len(scripts) < 10 {
		t.Fatalf("%d migrations, %v", len(scripts), err)
	}
	for _, script := range append(scripts, filepath.Join(root, "internal/catalog/catalogtest/lectiospace.sql")) {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range createsTable.FindAllStringSubmatch(string(text), -1) {
			known[m[1]] = true
		}
	}
	return known
}

// tablesIn are the tables that a text names: every known table, and every unknown name
// where SQL has a table.
func tablesIn(text string, known map[string]bool) (names []string) {
	for _, name := range tableWord.FindAllString(text, -1) {
		if known[name] {
			names = append(names, name)
		}
	}
	for _, m := range fromTable.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// goStrings are a Go file's string literals, with "a" + "b" as one.
func goStrings(name string, source []byte) (text string, err error) {
	f, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.BinaryExpr:
			if s, ok := concatenated(n); ok {
				b.WriteString(s + "\n")
				return false
			}
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				s, _ := strconv.Unquote(n.Value)
				b.WriteString(s + "\n")
			}
		}
		return true
	})
	return b.String(), nil
}

// concatenated is the text of an expression of string literals and +, false for any other.
func concatenated(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok := concatenated(e.X)
		right, alsoOK := concatenated(e.Y)
		return left + right, ok && alsoOK && e.Op == token.ADD
	default:
		return "", false
	}
}

// tableViolations are the tables that one file names without a rule that allows it.
func tableViolations(file string, source []byte, known map[string]bool) (found []string) {
	text := string(source)
	if strings.HasSuffix(file, ".go") {
		var err error
		if text, err = goStrings(file, source); err != nil {
			return []string{err.Error()}
		}
	}
	for _, table := range tablesIn(text, known) {
		if !slices.ContainsFunc(tableRules, func(r tableRule) bool { return r.allows(file, table) }) {
			found = append(found, fmt.Sprintf("%s names the table %s: no rule of tableRules allows it", file, table))
		}
	}
	return found
}

func (r tableRule) allows(file, table string) bool {
	if path.Dir(file) != r.dir || r.file != "" && path.Base(file) != r.file {
		return false
	}
	prefix, _, _ := strings.Cut(table, "_")
	return slices.ContainsFunc(strings.Fields(r.tables), func(allowed string) bool {
		switch allowed {
		case "public.*":
			return prefix == "accounts" || prefix == "schedule"
		case "lectern.*":
			return prefix == "lectern"
		default:
			return allowed == table
		}
	})
}

// TestTables holds the SQL of every file against tableRules: the strings of Go files that
// are not tests, and SQL scripts.
func TestTables(t *testing.T) {
	const root = "../.."
	known := knownTables(t, root)
	named := map[string]bool{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || strings.HasSuffix(name, "_test.go") || !strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, ".sql") {
			return nil
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		file := filepath.ToSlash(strings.TrimPrefix(name, root+string(filepath.Separator)))
		for _, v := range tableViolations(file, source, known) {
			t.Error(v)
		}
		for _, table := range tablesIn(string(source), known) {
			for i, r := range tableRules {
				if r.allows(file, table) {
					named[fmt.Sprint(i, table)] = true
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// A rule that nothing needs any more would let a table be named unnoticed.
	for i, r := range tableRules {
		for _, table := range strings.Fields(r.tables) {
			if !strings.HasSuffix(table, ".*") && !named[fmt.Sprint(i, table)] {
				t.Errorf("nothing in %s names %s any more: take it out of tableRules", path.Join(r.dir, r.file), table)
			}
		}
	}
}

// TestRiverVersion: the file that reads River's private tables was checked against the
// version that go.mod requires.
func TestRiverVersion(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`github.com/riverqueue/river (v\S+)`).FindSubmatch(mod)
	if m == nil {
		t.Fatal("go.mod does not require River")
	}
	source, err := os.ReadFile("../syncer/store/" + riverFile)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(source), string(m[1])) {
		t.Errorf("%s does not say that it was checked against River %s", riverFile, m[1])
	}
}

// TestTablesCatches plants violations.
func TestTablesCatches(t *testing.T) {
	known := knownTables(t, "../..")
	for name, c := range map[string]struct {
		file, source string
		want         int
	}{
		"a table of another package":        {"internal/proxy/a.go", "package proxy\nconst q = `SELECT 1 FROM public.schedule_lesson`", 1},
		"a name put together":               {"internal/proxy/a.go", "package proxy\nvar q = \"SELECT 1 FROM lectern.lec\" + \"tern_views\"", 1},
		"a name alone":                      {"internal/auth/a.go", "package auth\nvar table = \"accounts_customuser\"", 1},
		"River's table in another file":     {"internal/syncer/store/runs.go", "package store\nconst q = `DELETE FROM lectern.river_job`", 1},
		"River's table in its file":         {"internal/syncer/store/" + riverFile, "package store\nconst q = `DELETE FROM lectern.river_job`", 0},
		"a table that nobody creates":       {"internal/library/a.go", "package library\nconst q = `SELECT 1 FROM lectern.lectern_nonsense`", 1},
		"an allowed table":                  {"internal/library/a.go", "package library\nconst q = `SELECT 1 FROM lectern.lectern_views`", 0},
		"a metric is no table":              {"internal/proxy/a.go", "package proxy\nconst m = \"lectern_streams_active\"", 0},
		"a comment is no SQL":               {"internal/proxy/a.go", "package proxy\n// FROM public.schedule_lesson\nconst a = 1", 0},
		"a script":                          {"configs/other.sql", "GRANT SELECT ON schedule_lesson TO lectern", 1},
		"Lectern's table in the platform's": {"configs/platform/grants.sql", "GRANT SELECT ON lectern.lectern_views TO x", 1},
	} {
		if got := tableViolations(c.file, []byte(c.source), known); len(got) != c.want {
			t.Errorf("%s: %d violations, want %d: %q", name, len(got), c.want, got)
		}
	}
}
