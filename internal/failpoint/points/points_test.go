package points_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/failpoint/points"
)

// TestAll: the list has exactly the points that the code names, each named once in the list,
// and a point of several operations is passed with the operation everywhere.
func TestAll(t *testing.T) {
	named := pointsOfCode(t, filepath.Join("..", "..", ".."))
	if len(named) < 50 {
		t.Fatalf("the code names %d points: the search for them is at fault", len(named))
	}
	shape := regexp.MustCompile(`^[a-z]+\.[a-z]+(-[a-z]+)*$`)
	seen := map[string]bool{}
	for _, p := range points.All {
		if seen[p.Name] || p.What == "" || !shape.MatchString(p.Name) {
			t.Errorf("%q is listed twice, says nothing, or is not spelled GROUP.STEP", p.Name)
		}
		seen[p.Name] = true
		uses := named[p.Name]
		if len(uses) == 0 {
			t.Errorf("%s is listed, and the code does not name it", p.Name)
		}
		if slices.Contains(uses, !p.Of) {
			t.Errorf("%s: Of is %v, and some of the code says otherwise", p.Name, p.Of)
		}
	}
	for name := range named {
		if !points.Known(name) {
			t.Errorf("the code names %s, which is not listed", name)
		}
	}
	if points.Known("cache.no-such-point") {
		t.Error("a point is known that is not listed")
	}
}

// pointsOfCode are the points that calls name outside tests, and whether each call has an
// operation. A name that is no literal fails the test: nobody could list it.
func pointsOfCode(t *testing.T, root string) map[string][]bool {
	t.Helper()
	found := map[string][]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root || d.Name() == "testdata" || d.Name() == "node_modules"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go"), strings.HasSuffix(path, "_test.go"), filepath.Base(filepath.Dir(path)) == "failpoint":
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if name, of, ok := pointOf(n); ok {
				text, err := strconv.Unquote(name)
				if err != nil {
					t.Errorf("%s: the name of a point is no literal", path)
				}
				found[text] = append(found[text], of)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// pointOf is the literal of a call's point, "" when it is none.
func pointOf(n ast.Node) (name string, of, ok bool) {
	call, isCall := n.(*ast.CallExpr)
	if !isCall {
		return "", false, false
	}
	f, isSelector := call.Fun.(*ast.SelectorExpr)
	if !isSelector || !slices.Contains([]string{"Here", "HereOf", "Err", "ErrOf", "Write"}, f.Sel.Name) {
		return "", false, false
	}
	if pkg, isIdent := f.X.(*ast.Ident); !isIdent || pkg.Name != "failpoint" {
		return "", false, false
	}
	of = strings.HasSuffix(f.Sel.Name, "Of")
	if literal, isLiteral := call.Args[0].(*ast.BasicLit); isLiteral {
		name = literal.Value
	}
	return name, of, true
}
