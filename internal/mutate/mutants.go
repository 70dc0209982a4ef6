package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is one small fault.
type mutant struct {
	id   int
	file string // the base name
	line int
	fn   string // the function or the variable that it is in
	text string // what becomes of what
	nth  int    // of those in fn that have the same text, from 1 on
}

// key names a mutant whatever lines are added before it.
func (m mutant) key() string {
	if m.nth > 1 {
		return fmt.Sprintf("%s: %s: %s (%d)", m.file, m.fn, m.text, m.nth)
	}
	return fmt.Sprintf("%s: %s: %s", m.file, m.fn, m.text)
}

// finder looks for the mutants of one file, and writes them into it.
type finder struct {
	*source
	*file
	insertions
	dropped map[int]bool // the lines of the file that do not compile with their mutants
	fn      string
	add     func(mutant) int
}

// mutate returns the mutated text of the chosen files (base names; none = all), by path,
// and what was put into them. dropped has lines by path.
func (s *source) mutate(chosen []string, dropped map[string]map[int]bool) (texts map[string][]byte, mutants []mutant) {
	texts = map[string][]byte{}
	same := map[string]int{}
	for i := range s.files {
		f := &s.files[i]
		base := filepath.Base(f.path)
		if len(chosen) > 0 && !slices.Contains(chosen, base) {
			continue
		}
		w := finder{source: s, file: f, insertions: newInsertions(), dropped: dropped[f.path]}
		w.add = func(m mutant) int {
			m.id, m.file = len(mutants)+1, base
			same[m.key()]++
			m.nth = same[m.key()]
			mutants = append(mutants, m)
			return m.id
		}
		for _, d := range f.tree.Decls {
			w.decl(d)
		}
		texts[f.path] = w.apply(f.text)
	}
	return texts, mutants
}

func (w *finder) decl(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Body == nil {
			return
		}
		w.fn = d.Name.Name
		if d.Recv != nil {
			w.fn = strings.TrimPrefix(w.of(w.source, d.Recv.List[0].Type), "*") + "." + w.fn
		}
		w.inspect(d)
	case *ast.GenDecl:
		if d.Tok != token.VAR {
			return
		}
		for _, spec := range d.Specs {
			w.fn = spec.(*ast.ValueSpec).Names[0].Name
			w.inspect(spec)
		}
	}
}

// inspect visits the nodes from the outside in.
func (w *finder) inspect(root ast.Node) {
	ast.PreorderStack(root, nil, func(n ast.Node, stack []ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl:
			return n.Tok != token.CONST && n.Tok != token.TYPE
		case *ast.ExprStmt:
			if w.logs(n) {
				return false
			}
			w.statement(n, stack)
		case ast.Stmt:
			w.statement(n, stack)
		case ast.Expr:
			t, known := w.info.Types[n]
			if known && t.IsType() {
				return false
			}
			if known {
				w.expression(n, t, stack)
			}
			return t.Value == nil // a constant has no parts that run
		}
		return true
	})
}

// new adds a mutant at a node and returns its number, or 0 where it must be left out.
func (w *finder) new(at ast.Node, text string) int {
	line := w.fset.Position(at.Pos()).Line
	if w.dropped[line] {
		return 0
	}
	if r := []rune(text); len(r) > 100 {
		text = string(r[:99]) + "…"
	}
	return w.add(mutant{line: line, fn: w.fn, text: text})
}

// around puts a call of a switch's function around an expression.
func (w *finder) around(n ast.Node, before, after string) {
	w.wrap(w.offset(n.Pos()), w.offset(n.End()), before, after)
}
