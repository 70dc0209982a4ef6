package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
)

// boolLiteral flips true and false.
func (w *finder) boolLiteral(e ast.Expr) {
	id, ok := e.(*ast.Ident)
	if !ok {
		return
	}
	switch w.info.Uses[id] {
	case types.Universe.Lookup("true"):
		if n := w.new(e, "true → false"); n > 0 {
			w.replace[w.offset(e.Pos())] = replacement{len("true"), fmt.Sprintf("!mutant(%d)", n)}
		}
	case types.Universe.Lookup("false"):
		if n := w.new(e, "false → true"); n > 0 {
			w.replace[w.offset(e.Pos())] = replacement{len("false"), fmt.Sprintf("mutant(%d)", n)}
		}
	}
}

// boundaries are the comparisons that differ in the bound alone.
var boundaries = map[token.Token]token.Token{token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR}

// condition makes a condition always true or always false, and moves its bound. A part
// of a && b is only made true, and of a || b only false: otherwise it is a mutant of the
// whole.
func (w *finder) condition(e ast.Expr, stack []ast.Node) {
	if _, ok := e.(*ast.ParenExpr); ok {
		return
	}
	level := len(stack) - 1
	for ; level > 0; level-- {
		if _, ok := stack[level].(*ast.ParenExpr); !ok {
			break
		}
	}
	always, never := true, true
	plain := false // not a place where every bool is a condition
	switch p := stack[level].(type) {
	case *ast.BinaryExpr:
		switch p.Op {
		case token.LAND:
			never = false
		case token.LOR:
			always = false
		default:
			plain = true
		}
	case *ast.UnaryExpr:
		return // the negation is the condition
	case *ast.IfStmt:
		if p.Else == nil && !slices.ContainsFunc(p.Body.List, func(s ast.Stmt) bool { return !w.logs(s) }) {
			return // all that depends on it is a line of the log
		}
	case *ast.ForStmt:
		always = false // an endless loop
	case *ast.CaseClause:
		plain = stack[level-2].(*ast.SwitchStmt).Tag != nil
	case *ast.ReturnStmt:
	default:
		plain = true
	}
	b, binary := e.(*ast.BinaryExpr)
	not, unary := e.(*ast.UnaryExpr)
	switch {
	case binary && b.Op == token.LAND:
		always = false
	case binary && b.Op == token.LOR:
		never = false
	case unary && not.Op != token.NOT, plain && !binary && !unary:
		return
	}
	source := w.of(w.source, e)
	before, after := "(", ")"
	if always {
		if id := w.new(e, source+" → true"); id > 0 {
			before += fmt.Sprintf("mutant(%d) || ", id)
		}
	}
	if never {
		if id := w.new(e, source+" → false"); id > 0 {
			before += fmt.Sprintf("!mutant(%d) && ", id)
		}
	}
	if binary && boundaries[b.Op] != 0 && !w.multiline(e) {
		other := fmt.Sprintf("%s %s %s", w.of(w.source, b.X), boundaries[b.Op], w.of(w.source, b.Y))
		if id := w.new(e, source+" → "+other); id > 0 {
			before += fmt.Sprintf("(mutant(%d) && (%s) || !mutant(%d) && ", id, other, id)
			after += ")"
		}
	}
	if before != "(" {
		w.around(e, before+"(", ")"+after)
	}
}
