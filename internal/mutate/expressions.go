package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
)

func (w *finder) multiline(n ast.Node) bool {
	return w.fset.Position(n.Pos()).Line != w.fset.Position(n.End()).Line
}

// basic is the kind of basic type that an expression has, at the bottom.
func (w *finder) basic(e ast.Expr, kind types.BasicInfo) bool {
	t := w.info.Types[e].Type
	if t == nil {
		return false
	}
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&kind != 0
}

func (w *finder) numeric(e ast.Expr) bool { return w.basic(e, types.IsInteger|types.IsFloat) }

// expression adds the mutants of an expression, which depend on where it is.
func (w *finder) expression(e ast.Expr, t types.TypeAndValue, stack []ast.Node) {
	parent := stack[len(stack)-1]
	w.result(e, t, stack)
	w.element(e, t, parent)
	w.caseValue(e, t, stack)
	switch {
	case t.Value != nil:
		w.boolLiteral(e)
	case w.basic(e, types.IsBoolean):
		w.condition(e, stack)
	}
	if b, ok := e.(*ast.BinaryExpr); ok && t.Value == nil && w.numeric(e) {
		w.arithmetic(b)
	}
}

// operator is the other operator, and the function that has both.
type operator struct {
	function string
	other    token.Token
}

var operators = map[token.Token]operator{
	token.ADD: {"mutantAdd", token.SUB}, token.SUB: {"mutantSub", token.ADD}, token.MUL: {"mutantMul", token.QUO}, token.QUO: {"mutantDiv", token.MUL},
	token.REM: {"mutantRem", token.MUL}, token.AND: {"mutantAnd", token.OR}, token.OR: {"mutantOr", token.AND}, token.XOR: {"mutantXor", token.AND},
	token.AND_NOT: {"mutantAndNot", token.AND}, token.SHL: {"mutantShl", token.SHR}, token.SHR: {"mutantShr", token.SHL},
}

func (w *finder) arithmetic(b *ast.BinaryExpr) {
	o, ok := operators[b.Op]
	if !ok {
		return
	}
	left, right := w.of(w.source, b.X), w.of(w.source, b.Y)
	id := w.new(b, fmt.Sprintf("%s %s %s → %s", left, b.Op, right, o.other))
	if id == 0 {
		return
	}
	w.around(b, fmt.Sprintf("%s(mutant(%d), ", o.function, id), ")")
	w.replace[w.offset(b.OpPos)] = replacement{len(b.Op.String()), ","}
}
