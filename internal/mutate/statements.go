package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
)

// logs reports whether a statement calls a logger.
func (w *finder) logs(s ast.Stmt) bool {
	expr, ok := s.(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := expr.X.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	method := w.info.Selections[sel]
	return method != nil && method.Recv().String() == "*log/slog.Logger"
}

// statement leaves a statement out.
func (w *finder) statement(s ast.Stmt, stack []ast.Node) {
	switch stack[len(stack)-1].(type) {
	case *ast.BlockStmt, *ast.CaseClause:
	case *ast.CommClause:
		if stack[len(stack)-1].(*ast.CommClause).Comm == s {
			return
		}
	default:
		return
	}
	opposite := ""
	switch s := s.(type) {
	case *ast.ExprStmt:
		if call, ok := s.X.(*ast.CallExpr); ok && w.stays(call) {
			return
		}
	case *ast.DeferStmt:
		if w.stays(s.Call) {
			return
		}
	case *ast.AssignStmt:
		if s.Tok == token.DEFINE || blank(s.Lhs) {
			return
		}
		if other, ok := oppositeAssignment[s.Tok]; ok && w.numeric(s.Lhs[0]) {
			opposite = w.of(w.source, s.Lhs[0]) + " " + other.String() + " " + w.of(w.source, s.Rhs[0])
		}
	case *ast.IncDecStmt:
		opposite = w.of(w.source, s.X) + map[token.Token]string{token.INC: "--", token.DEC: "++"}[s.Tok]
	case *ast.BranchStmt:
		if s.Tok != token.BREAK && s.Tok != token.CONTINUE {
			return
		}
	case *ast.GoStmt, *ast.SendStmt:
	default:
		return
	}
	text := w.of(w.source, s)
	id := w.new(s, "without "+text)
	if id == 0 {
		return
	}
	if opposite != "" && !w.multiline(s) {
		other := w.new(s, text+" → "+opposite)
		w.around(s, fmt.Sprintf("if mutant(%d) { %s } else if !mutant(%d) { ", other, opposite, id), " }")
		return
	}
	w.around(s, fmt.Sprintf("if !mutant(%d) { ", id), " }")
}

var oppositeAssignment = map[token.Token]token.Token{
	token.ADD_ASSIGN: token.SUB_ASSIGN, token.SUB_ASSIGN: token.ADD_ASSIGN, token.MUL_ASSIGN: token.QUO_ASSIGN, token.QUO_ASSIGN: token.MUL_ASSIGN,
	token.OR_ASSIGN: token.AND_ASSIGN, token.AND_ASSIGN: token.OR_ASSIGN,
}

// stays reports whether a call is not left out: without a panic a function may lack its
// return, and a lock is the race detector's subject.
func (w *finder) stays(call *ast.CallExpr) bool {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name == "panic"
	case *ast.SelectorExpr:
		return slices.Contains([]string{"Lock", "Unlock", "RLock", "RUnlock"}, f.Sel.Name)
	}
	return false
}

func blank(exprs []ast.Expr) bool {
	return !slices.ContainsFunc(exprs, func(e ast.Expr) bool { id, ok := e.(*ast.Ident); return !ok || id.Name != "_" })
}
