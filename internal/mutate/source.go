package main

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
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// source is one parsed and type-checked package.
type source struct {
	name  string // of the package
	dir   string
	fset  *token.FileSet
	files []file
	info  *types.Info
}

// file is one file of a package that is built here, without those of its tests.
type file struct {
	path string // absolute
	text []byte
	tree *ast.File
}

// load parses and type-checks the package in dir. Its imports are read from the export
// data that the build cache has, or is given by compiling them.
func load(dir string) (*source, error) {
	list := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Name,Dir,GoFiles,Export,DepOnly", "./"+dir)
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w", dir, err)
	}
	exports := map[string]string{}
	s := &source{fset: token.NewFileSet()}
	var names []string
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Name, Dir, Export string
			GoFiles                       []string
			DepOnly                       bool
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list %s: %w", dir, err)
		}
		exports[p.ImportPath] = p.Export
		if !p.DepOnly {
			s.name, s.dir, names = p.Name, p.Dir, p.GoFiles
		}
	}
	var trees []*ast.File
	for _, name := range names {
		path := filepath.Join(s.dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		tree, err := parser.ParseFile(s.fset, path, text, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			return nil, err
		}
		s.files, trees = append(s.files, file{path, text, tree}), append(trees, tree)
	}
	lookup := func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("%s is not compiled", path)
		}
		return os.Open(exports[path])
	}
	s.info = &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	config := types.Config{Importer: importer.ForCompiler(s.fset, "gc", lookup)}
	if _, err := config.Check(s.name, s.fset, trees, s.info); err != nil {
		return nil, fmt.Errorf("type-check %s: %w", dir, err)
	}
	return s, nil
}

// of is the source text of a node, on one line.
func (f *file) of(s *source, n ast.Node) string {
	return strings.Join(strings.Fields(string(f.text[s.offset(n.Pos()):s.offset(n.End())])), " ")
}

// offset is a position's offset in its file.
func (s *source) offset(p token.Pos) int { return s.fset.Position(p).Offset }
