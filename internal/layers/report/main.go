// Command report prints the sizes of the code: packages, the longest files and
// functions, the longest parameter lists and the widest interfaces. It judges
// nothing: a number does not know whether a split would help.
//
//	go run ./internal/layers/report [-n 10] [-tests]
package main

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// size is one measured thing.
type size struct {
	n    int
	name string
}

// sizes are those of a tree of packages.
type sizes struct{ packages, files, functions, parameters, interfaces []size }

func main() {
	top := flag.Int("n", 10, "how many of each")
	tests := flag.Bool("tests", false, "measure test files instead of the others")
	flag.Parse()
	all, err := measure(".", *tests)
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
	all.print(os.Stdout, *top)
}

// measure reads every Go file below root: those of tests or the others. Folders
// that the go command ignores are left out.
func measure(root string, tests bool) (all sizes, err error) {
	lines := map[string]int{}
	files := token.NewFileSet()
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if name := d.Name(); path != root && (name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
				return filepath.SkipDir
			}
			return nil
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") != tests:
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		n := files.File(file.FileStart).LineCount()
		lines[filepath.Dir(name)] += n
		all.files = append(all.files, size{n, name})
		all.inspect(files, file, filepath.Dir(name))
		return nil
	})
	for name, n := range lines {
		all.packages = append(all.packages, size{n, name})
	}
	return all, err
}

// inspect measures the declarations of a file.
func (s *sizes) inspect(files *token.FileSet, file *ast.File, dir string) {
	ast.Inspect(file, func(node ast.Node) bool {
		switch d := node.(type) {
		case *ast.FuncDecl:
			name := dir + " " + d.Name.Name
			if d.Recv != nil {
				name = dir + " " + receiver(d.Recv.List[0].Type) + "." + d.Name.Name
			}
			s.functions = append(s.functions, size{files.Position(d.End()).Line - files.Position(d.Pos()).Line + 1, name})
			s.parameters = append(s.parameters, size{d.Type.Params.NumFields(), name})
		case *ast.TypeSpec:
			if i, ok := d.Type.(*ast.InterfaceType); ok {
				s.interfaces = append(s.interfaces, size{i.Methods.NumFields(), dir + " " + d.Name.Name})
			}
		}
		return true
	})
}

// receiver returns the name of a receiver's type without pointer and parameters.
func receiver(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.IndexListExpr:
		return receiver(t.X)
	case *ast.Ident:
		return t.Name
	default:
		return "?"
	}
}

func (s *sizes) print(w io.Writer, top int) {
	slices.SortFunc(s.packages, func(a, b size) int { return strings.Compare(a.name, b.name) })
	fmt.Fprintf(w, "lines per package\n")
	for _, p := range s.packages {
		fmt.Fprintf(w, "%7d  %s\n", p.n, p.name)
	}
	for _, list := range []struct {
		title string
		sizes []size
	}{
		{"lines per file", s.files}, {"lines per function", s.functions},
		{"parameters per function", s.parameters}, {"methods per interface", s.interfaces},
	} {
		slices.SortFunc(list.sizes, func(a, b size) int { return cmp.Or(cmp.Compare(b.n, a.n), strings.Compare(a.name, b.name)) })
		fmt.Fprintf(w, "\n%s: %d, median %d, p90 %d\n", list.title, len(list.sizes), quantile(list.sizes, 50), quantile(list.sizes, 90))
		for _, one := range list.sizes[:min(top, len(list.sizes))] {
			fmt.Fprintf(w, "%7d  %s\n", one.n, one.name)
		}
	}
}

// quantile returns the value that percent of sizes, in descending order, do not exceed.
func quantile(descending []size, percent int) int {
	if len(descending) == 0 {
		return 0
	}
	return descending[(len(descending)-1)*(100-percent)/100].n
}
