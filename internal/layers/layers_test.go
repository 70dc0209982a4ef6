// Package layers holds the rules of who may know whom, as a test.
package layers

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/lectiospace/lectern/"

// ban forbids an import, and everything below it, to all packages but some.
type ban struct {
	what   string
	except []string // packages, with all below them
	why    string
}

var bans = []ban{
	{"github.com/valyala/fasthttp", []string{"internal/proxy"}, "its pooled contexts and body rules are for one room to know"},
	{"database/sql", []string{"internal/catalog", "internal/library", "internal/syncer", "internal/pgtest"}, "SQL lives in the catalog and the ledger beside it; the syncer knows the transaction's type"},
	{"github.com/jackc/pgx/v5", []string{"internal/catalog", "internal/pgtest"}, "SQL lives in one place"},
	{"modernc.org/sqlite", []string{"internal/catalog"}, "SQL lives in one place"},
	{"github.com/riverqueue/river", []string{"internal/syncer/queue", "internal/catalog"}, "one room has jobs, and the schema one owner"},
	{"riverqueue.com/riverui", []string{"internal/syncer/queue"}, "one room has jobs"},
	{"github.com/nicholas-fedor/shoutrrr", []string{"internal/alert"}, "one room tells operators"},
	{"github.com/pressly/goose/v3", []string{"internal/catalog"}, "the schema has one owner"},
	{"google.golang.org/api", []string{"internal/origin/drive"}, "Drive is one origin among others"},
	{"golang.org/x/oauth2", []string{"internal/origin/drive"}, "only Drive needs it"},
	{"github.com/golang-jwt/jwt/v5", []string{"internal/auth"}, "one room judges tokens"},
	{"github.com/alecthomas/kong", []string{"internal/config", "cmd"}, "settings are gathered in one place"},
	{module + "internal/config", []string{"cmd", "internal/config"}, "packages own their Config; the root gathers"},
	{module + "internal/emulator", []string{"internal/emulator", "bench", "internal/demo", "internal/syncer/syncertest"}, "emulators are for tests, benchmarks and the demo"},
	{module + "internal/pgtest", []string{"internal/pgtest", "internal/catalog/catalogtest", "internal/syncer/syncertest"}, "for tests only"},
	{module + "internal/proxy", []string{"cmd", "internal/config", "internal/proxy"}, "nothing calls back upward"},
	{module + "internal/cache", []string{"internal/doctor", "cmd", "internal/config", "internal/cache", "internal/cacheadmin", "bench"}, "the cache is wired, not known"},
	{module + "internal/origin", []string{"internal/doctor", "internal/demo", "cmd", "internal/config", "internal/origin", "internal/syncer/syncertest"}, "the cache declares the one method it needs"},
	{module + "internal/catalog", []string{"internal/doctor", "internal/demo", "cmd", "internal/catalog", "internal/library", "internal/syncer"}, "rooms know the words, not the store"},
	{module + "internal/syncer/store", []string{"internal/doctor", "internal/demo", "cmd", "internal/library", "internal/syncer"}, "it is the syncer's own tables"},
	{module + "internal/syncer", []string{"internal/doctor", "internal/demo", "internal/library", "internal/syncer", "cmd", "internal/config"}, "nothing calls back upward"},
	{module + "internal/zoom", []string{"internal/doctor", "internal/demo", "cmd", "internal/config", "internal/syncer", "internal/origin/zoom"}, "one room speaks Zoom, one listens to it"},
	{module + "internal/ffmpeg", []string{"internal/doctor", "cmd", "internal/syncer"}, "the gateway serves bytes as they are"},
	{module + "internal/mp4", []string{"internal/ffmpeg", "internal/syncer"}, "the gateway serves bytes as they are"},
	{module + "internal/auth", []string{"internal/doctor", "internal/demo", "cmd", "internal/config", "bench"}, "the proxy declares the gate it needs; the benchmark signs tokens and checks them for nginx"},
	{module + "internal/doctor", []string{"cmd"}, "a command examines the rooms, they do not examine themselves"},
}

// vague names say nothing of what a package is for.
var vague = []string{"util", "utils", "common", "types", "helpers", "misc", "base"}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func violations(packages []goPackage) (found []string) {
	for _, p := range packages {
		short := strings.TrimPrefix(p.ImportPath, module)
		if slices.Contains(vague, path.Base(short)) {
			found = append(found, short+": the name says nothing")
		}
		for _, imported := range p.Imports {
			if short == "internal/media" && strings.Contains(strings.Split(imported, "/")[0], ".") {
				found = append(found, short+" imports "+imported+": the words lean on nobody")
			}
			for _, b := range bans {
				if within(imported, b.what) && !slices.ContainsFunc(b.except, func(e string) bool { return within(short, e) }) {
					found = append(found, short+" imports "+imported+": "+b.why)
				}
			}
		}
	}
	return found
}

func within(p, root string) bool { return p == root || strings.HasPrefix(p, root+"/") }

func TestWhoKnowsWhom(t *testing.T) {
	list := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	list.Dir = "../.."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	var packages []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if len(packages) < 15 {
		t.Fatalf("only %d packages were found", len(packages))
	}
	for _, v := range violations(packages) {
		t.Error(v)
	}
}

func TestTheRulesCatch(t *testing.T) {
	for _, p := range []goPackage{
		{module + "internal/media", []string{"golang.org/x/sync/errgroup"}},
		{module + "internal/cache", []string{module + "internal/origin"}},
		{module + "internal/cache", []string{"github.com/valyala/fasthttp/fasthttputil"}},
		{module + "internal/auth", []string{module + "internal/config"}},
		{module + "internal/util", nil},
	} {
		if len(violations([]goPackage{p})) != 1 {
			t.Errorf("%s importing %v is not caught", p.ImportPath, p.Imports)
		}
	}
	if v := violations([]goPackage{{module + "internal/media", []string{"encoding/json"}}, {module + "cmd/gateway", []string{module + "internal/cache"}}}); len(v) != 0 {
		t.Errorf("caught without reason: %v", v)
	}
}
