package rules_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/failpoint/rules"
)

func known(point string) bool { return point == "cache.rename" || point == "db.commit" }

func newSet(t *testing.T, text string) *rules.Set {
	t.Helper()
	s, err := rules.New(text, "", "", known)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func pass(t *testing.T, s *rules.Set, point, of string) rules.Effect {
	t.Helper()
	e, err := s.Pass(point, of)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestPassings: a rule's effect is that of the passings which it names.
func TestPassings(t *testing.T) {
	for _, c := range []struct{ passings, want string }{{"", "xxxxxx"}, {"@1", "x....."}, {"@3", "..x..."}, {"@2-4", ".xxx.."}, {"@5-", "....xx"}, {"@ 2", ".x...."}} {
		s, got := newSet(t, "cache.rename=error(ENOSPC)"+c.passings), ""
		for range len(c.want) {
			switch err := pass(t, s, "cache.rename", "").Err; {
			case errors.Is(err, syscall.ENOSPC):
				got += "x"
			case err == nil:
				got += "."
			default:
				t.Errorf("%s: %v", c.passings, err)
			}
		}
		if got != c.want {
			t.Errorf("%q: %s, want %s", c.passings, got, c.want)
		}
	}
}

func TestActions(t *testing.T) {
	for text, want := range map[string]rules.Effect{
		"kill": {Kill: true}, "sleep(20ms)": {Sleep: 20 * time.Millisecond}, "error(EIO)": {Err: syscall.EIO},
		"short(100)": {Err: syscall.ENOSPC, Partial: true, Bytes: 100}, "torn(0)": {Partial: true},
	} {
		if got := pass(t, newSet(t, "cache.rename="+text), "cache.rename", ""); got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
	if err := pass(t, newSet(t, "cache.rename=error(out of luck)"), "cache.rename", "").Err; err == nil || !strings.Contains(err.Error(), "out of luck") {
		t.Errorf("an error of a text: %v", err)
	}
}

// TestOperations: a rule for one operation counts the passings of that one.
func TestOperations(t *testing.T) {
	s := newSet(t, "db.commit[syncer: publish]=kill@2; db.commit=error(EIO)@4 ;")
	for i, c := range []struct {
		of   string
		want rules.Effect
	}{
		{"syncer: publish", rules.Effect{}}, {"syncer: usage", rules.Effect{}}, {"syncer: publish", rules.Effect{Kill: true}},
		{"syncer: usage", rules.Effect{Err: syscall.EIO}}, {"syncer: publish", rules.Effect{}},
	} {
		if got := pass(t, s, "db.commit", c.of); got != c.want {
			t.Errorf("passing %d, %s: %+v, want %+v", i+1, c.of, got, c.want)
		}
	}
	if got := pass(t, s, "cache.rename", ""); got != (rules.Effect{}) {
		t.Errorf("a point without a rule: %+v", got)
	}
	s = newSet(t, "*=kill@3")
	pass(t, s, "cache.rename", "")
	pass(t, s, "db.commit", "syncer: publish")
	if got := pass(t, s, "db.commit", "syncer: usage"); !got.Kill {
		t.Errorf("the third passing of all: %+v", got)
	}
}

// TestWrong: what is no rule is refused, and so is a point that is not listed.
func TestWrong(t *testing.T) {
	for _, text := range []string{
		"cache.rename", "cache.renamed=kill", "cache.rename=", "cache.rename=explode", "cache.rename=kill@0", "cache.rename=kill@x", "cache.rename=kill@3-2",
		"cache.rename=short(-1)", "cache.rename=torn(x)", "cache.rename=sleep(2)", "cache.rename=error(EIO", "db.commit[x=kill",
	} {
		if _, err := rules.New(text, "", "", known); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	if _, err := newSet(t, "").Pass("cache.renamed", ""); err == nil {
		t.Error("a point that is not listed is passed")
	}
}

// TestFile: rules of a file come and go while a process runs.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules")
	s, err := rules.New("", path, "", known)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if e := pass(t, s, "cache.rename", ""); e != (rules.Effect{}) {
		t.Errorf("without a file: %+v", e)
	}
	write("cache.rename=error(EIO)@1\ndb.commit=kill\n")
	if e := pass(t, s, "cache.rename", ""); !errors.Is(e.Err, syscall.EIO) {
		t.Errorf("with a file: %+v", e)
	}
	if e := pass(t, s, "cache.rename", ""); e != (rules.Effect{}) {
		t.Errorf("the second passing: %+v", e)
	}
	write("")
	if e := pass(t, s, "db.commit", ""); e != (rules.Effect{}) {
		t.Errorf("with an empty file: %+v", e)
	}
	write("db.commit=nonsense")
	if _, err := s.Pass("db.commit", ""); err == nil {
		t.Error("a file that is wrong is taken")
	}
}

// TestLog: every passing is a line, and the one that kills says so.
func TestLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	s, err := rules.New("cache.rename=kill@2", "", path, known)
	if err != nil {
		t.Fatal(err)
	}
	pass(t, s, "cache.rename", "")
	pass(t, s, "db.commit", "syncer: publish")
	pass(t, s, "cache.rename", "")
	got, err := os.ReadFile(path)
	if want := "cache.rename\ndb.commit[syncer: publish]\ncache.rename killed\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}
