package layers

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// unreleased are the required modules whose maintainers publish no releases: a commit is all
// that can be named of them.
var unreleased = []use{
	{"github.com/pkg/browser", "the Azure SDK could sign somebody in with it; has no releases"},
	{"github.com/jackc/pgerrcode", "names of PostgreSQL's error codes; has no releases"},
	{"github.com/jackc/pgservicefile", "pgx reads service files with it; has no releases"},
	{"github.com/munnerz/goautoneg", "Prometheus' Accept header; has no releases"},
	{"github.com/remyoudompheng/bigfft", "modernc.org's big numbers; has no releases"},
	{"github.com/riverqueue/apiframe", "the queue's pages; has no releases"},
	{"github.com/ryszard/goskiplist", "gofakes3's buckets in memory, in tests; has no releases"},
	{"go.shabbyrobe.org/gocovmerge", "a tool of gofakes3's, which go.mod has to name; has no releases"},
	{"google.golang.org/genproto/googleapis/api", "generated types of OTLP's messages; has no releases"},
	{"google.golang.org/genproto/googleapis/rpc", "generated types of Google's client; has no releases"},
}

// archived are modules that nobody maintains, each with its successor.
var archived = []use{
	{"gopkg.in/yaml.v2", "go.yaml.in/yaml/v3 succeeds it"},
	{"gopkg.in/yaml.v3", "go.yaml.in/yaml/v3 succeeds it"},
	{"github.com/dgrijalva/jwt-go", "github.com/golang-jwt/jwt/v5 succeeds it"},
	{"github.com/pkg/errors", "the standard library's errors succeeds it"},
}

// requirement is a line of a require block: module, version and the comment.
var requirement = regexp.MustCompile(`(?m)^(?:\t|require )(\S+) (v\S+)( // indirect)?$`)

// pseudo matches the versions that name a commit instead of a release (go.dev/ref/mod,
// section "Pseudo-versions").
var pseudo = regexp.MustCompile(`[-.]\d{14}-[0-9a-f]{12}(?:\+incompatible)?$`)

// unwanted finds what go.mod should not require: commits, except of modules without
// releases, and archived modules. An entry of unreleased that is not needed is found too.
func unwanted(mod string) (found []string) {
	reason := func(list []use, name string) string {
		for _, u := range list {
			if u.what == name {
				return u.why
			}
		}
		return ""
	}
	commits := map[string]bool{}
	for _, m := range requirement.FindAllStringSubmatch(mod, -1) {
		name, version, indirect := m[1], m[2], m[3] != ""
		if why := reason(archived, name); why != "" {
			found = append(found, name+" is archived: "+why)
		}
		if !pseudo.MatchString(version) {
			continue
		}
		commits[name] = true
		if !indirect || reason(unreleased, name) == "" {
			found = append(found, name+" "+version+" is a commit and no release")
		}
	}
	for _, u := range unreleased {
		if !commits[u.what] {
			found = append(found, u.what+" is listed as unreleased without being required at a commit")
		}
	}
	return found
}

// TestModulesAreReleases holds go.mod against the list of modules without releases.
func TestModulesAreReleases(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(requirement.FindAllString(string(mod), -1)); n < 50 {
		t.Fatalf("only %d requirements were found in go.mod", n)
	}
	for _, what := range unwanted(string(mod)) {
		t.Error(what)
	}
	var none strings.Builder
	for _, u := range unreleased {
		none.WriteString("\t" + u.what + " v0.0.0-20250907135507-afb5586c32a6 // indirect\n")
	}
	for _, c := range []struct{ line, want string }{
		{"\tcloud.google.com/go/auth v0.24.1-0.20261001053825-dbc26066f70a // indirect", "is a commit"},
		{"\tgithub.com/jackc/pgx/v5 v5.12.0-rc.1", ""},
		{"\tgopkg.in/yaml.v3 v3.0.1", "is archived"},
		{"require example.org/m v0.0.0-20260213210345-44df1a37e875", "is a commit"},
	} {
		got := strings.Join(unwanted(none.String()+c.line+"\n"), "; ")
		if (got != "") != (c.want != "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.line, got, c.want)
		}
	}
}
