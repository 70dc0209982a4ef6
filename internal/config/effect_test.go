package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/config"
)

const (
	module     = "github.com/lectiospace/lectern/"
	configPath = module + "internal/config"
)

// readElsewhere are settings whose effect is within config.
var readElsewhere = map[string]string{
	"config":   "configPath finds it before the flags are parsed",
	"data-dir": "setDerived derives other settings from it",
}

// TestEverySettingHasAnEffect: the value of every flag of a program is read by the
// packages that the program uses, beyond the checks of its shape. So is every field of
// their Config structs by one of the programs, since settings are copied to those. A
// setting that is accepted and ignored fails here.
func TestEverySettingHasAnEffect(t *testing.T) {
	source := loadModule(t, "./cmd/gateway", "./cmd/syncer")
	configs, readByAny := map[string]bool{}, map[string]bool{}
	for program, settings := range map[string]any{"gateway": config.Settings{}, "syncer": config.SyncerSettings{}} {
		read := map[string]bool{}
		for _, path := range source.usedBy(module + "cmd/" + program) {
			source.collect(t, path, read, configs)
		}
		maps.Copy(readByAny, read)
		all := settingsOf(reflect.TypeOf(settings), "")
		if len(all) < 25 {
			t.Errorf("only %d settings of %s were found", len(all), program)
		}
		for _, s := range all {
			if !read[s.field] && readElsewhere[s.flag] == "" {
				t.Errorf("%s accepts --%s and never reads %s", program, s.flag, s.field)
			}
		}
	}
	for field := range configs {
		if !readByAny[field] {
			t.Errorf("no program reads %s", field)
		}
	}
}

// setting is a flag and the field that it sets, as "package.Type.Field".
type setting struct{ flag, field string }

// settingsOf lists the flags that kong makes of a struct.
func settingsOf(t reflect.Type, prefix string) (out []setting) {
	for i := range t.NumField() {
		f := t.Field(i)
		_, embed := f.Tag.Lookup("embed")
		switch {
		case !f.IsExported() || f.Tag.Get("kong") == "-" || f.Name == "Version" && prefix == "":
		case f.Type.Kind() == reflect.Struct && (embed || f.Anonymous):
			out = append(out, settingsOf(f.Type, prefix+f.Tag.Get("prefix"))...)
		default:
			out = append(out, setting{prefix + f.Tag.Get("name"), fmt.Sprintf("%s.%s.%s", t.PkgPath(), t.Name(), f.Name)})
		}
	}
	return out
}

// moduleSource are the packages of the module, and the export data of all others.
type moduleSource struct {
	fset     *token.FileSet
	packages map[string]listed
	importer types.Importer
}

// listed is what `go list` says of a package.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles, Imports        []string
}

func loadModule(t *testing.T, programs ...string) *moduleSource {
	t.Helper()
	args := append([]string{"list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,Imports"}, raceFlags...)
	cmd := exec.CommandContext(t.Context(), "go", append(args, programs...)...)
	cmd.Dir, cmd.Stderr = filepath.Join("..", ".."), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	s := &moduleSource{fset: token.NewFileSet(), packages: map[string]listed{}}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		s.packages[p.ImportPath] = p
	}
	s.importer = importer.ForCompiler(s.fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(s.packages[path].Export) })
	return s
}

// usedBy lists the packages of the module that a program uses. config imports the
// packages of both programs for their settings; what it imports does not count.
func (s *moduleSource) usedBy(program string) []string {
	used := []string{program}
	for i := 0; i < len(used); i++ {
		if used[i] == configPath {
			continue
		}
		for _, path := range s.packages[used[i]].Imports {
			if strings.HasPrefix(path, module) && !slices.Contains(used, path) {
				used = append(used, path)
			}
		}
	}
	return used
}

// shapeChecks are functions that look at every field without giving it an effect.
var shapeChecks = []string{"Check", "check", "Validate", "validate", "withDefaults", "setDerived"}

// collect adds the fields that a package reads to read, and those of its exported Config
// structs to configs.
func (s *moduleSource) collect(t *testing.T, path string, read, configs map[string]bool) {
	t.Helper()
	var files []*ast.File
	for _, name := range s.packages[path].GoFiles {
		f, err := parser.ParseFile(s.fset, filepath.Join(s.packages[path].Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Selections: map[*ast.SelectorExpr]*types.Selection{}, Defs: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: s.importer}
	if _, err := conf.Check(path, s.fset, files, info); err != nil {
		t.Fatal(err)
	}
	for _, object := range info.Defs {
		name, ok := object.(*types.TypeName)
		if !ok || !name.Exported() || !strings.HasSuffix(name.Name(), "Config") {
			continue
		}
		if fields, ok := name.Type().Underlying().(*types.Struct); ok {
			for i := range fields.NumFields() {
				if f := fields.Field(i); f.Exported() && !f.Embedded() {
					configs[fieldKey(name.Type(), f)] = true
				}
			}
		}
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				return !slices.Contains(shapeChecks, n.Name.Name)
			case *ast.AssignStmt: // assigning to a field does not read it
				for _, e := range slices.Concat(n.Rhs, indexes(n.Lhs)) {
					ast.Inspect(e, func(n ast.Node) bool { markRead(info, n, read); return true })
				}
				return false
			}
			markRead(info, n, read)
			return true
		})
	}
}

// indexes are the expressions that are read on the left of an assignment: those below
// the assigned selector.
func indexes(lhs []ast.Expr) (out []ast.Expr) {
	for _, e := range lhs {
		if sel, ok := e.(*ast.SelectorExpr); ok {
			e = sel.X
		}
		out = append(out, e)
	}
	return out
}

func markRead(info *types.Info, n ast.Node, read map[string]bool) {
	e, ok := n.(*ast.SelectorExpr)
	if !ok {
		return
	}
	selection := info.Selections[e]
	if selection == nil || selection.Kind() != types.FieldVal {
		return
	}
	owner := selection.Recv()
	for _, i := range selection.Index() {
		if p, ok := owner.Underlying().(*types.Pointer); ok {
			owner = p.Elem()
		}
		f := owner.Underlying().(*types.Struct).Field(i)
		read[fieldKey(owner, f)] = true
		owner = f.Type()
	}
}

// fieldKey names a field as settingsOf does.
func fieldKey(owner types.Type, f *types.Var) string {
	named, ok := types.Unalias(owner).(*types.Named)
	if !ok {
		return f.Name()
	}
	return fmt.Sprintf("%s.%s.%s", named.Obj().Pkg().Path(), named.Obj().Name(), f.Name())
}
