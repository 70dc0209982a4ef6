package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/types"
	"slices"
)

// result makes a result zero, an error nil, and nil an error. Booleans are conditions.
func (w *finder) result(e ast.Expr, t types.TypeAndValue, stack []ast.Node) {
	ret, ok := stack[len(stack)-1].(*ast.ReturnStmt)
	if !ok || w.basic(e, types.IsBoolean) {
		return
	}
	var results []string
	for _, n := range slices.Backward(stack) {
		var f *ast.FuncType
		switch n := n.(type) {
		case *ast.FuncDecl:
			f = n.Type
		case *ast.FuncLit:
			f = n.Type
		default:
			continue
		}
		for _, field := range f.Results.List {
			results = append(results, slices.Repeat([]string{w.of(w.source, field.Type)}, max(1, len(field.Names)))...)
		}
		break
	}
	i := slices.Index(ret.Results, e)
	if i < 0 || len(results) != len(ret.Results) {
		return // the results of a call, which has its own mutants
	}
	source := w.of(w.source, e)
	switch {
	case t.IsNil() && results[i] == "error":
		if id := w.new(e, "return nil → an error"); id > 0 {
			w.around(e, fmt.Sprintf("mutantPick[error](mutant(%d), ", id), ", errMutant)")
		}
	case zero(e, t) && beside(ret.Results[len(ret.Results)-1], e):
		return
	case zero(e, t):
		other := map[constant.Kind]string{constant.Int: "1", constant.String: `"mutant"`}
		if t.Value == nil || other[t.Value.Kind()] == "" {
			return
		}
		if id := w.new(e, fmt.Sprintf("return %s → %s", source, other[t.Value.Kind()])); id > 0 {
			w.around(e, fmt.Sprintf("mutantPick[%s](mutant(%d), ", results[i], id), ", "+other[t.Value.Kind()]+")")
		}
	default:
		if id := w.new(e, fmt.Sprintf("return %s → zero", source)); id > 0 {
			w.around(e, fmt.Sprintf("mutantZero[%s](mutant(%d), ", results[i], id), ")")
		}
	}
}

// beside reports whether the last of several results says that the others mean nothing:
// false, or an error.
func beside(last, e ast.Expr) bool {
	id, ok := last.(*ast.Ident)
	return last != e && !(ok && (id.Name == "nil" || id.Name == "true" || id.Name == "ok"))
}

// zero reports whether an expression is the zero value of its type, as written.
func zero(e ast.Expr, t types.TypeAndValue) bool {
	if lit, ok := e.(*ast.CompositeLit); ok {
		_, isMap := t.Type.Underlying().(*types.Map)
		_, isSlice := t.Type.Underlying().(*types.Slice)
		return len(lit.Elts) == 0 && !isMap && !isSlice
	}
	if t.Value == nil {
		return t.IsNil()
	}
	switch t.Value.Kind() {
	case constant.String:
		return constant.StringVal(t.Value) == ""
	case constant.Bool:
		return !constant.BoolVal(t.Value)
	default:
		return constant.Sign(t.Value) == 0
	}
}

// element makes a field or an element of a composite literal zero.
func (w *finder) element(e ast.Expr, t types.TypeAndValue, parent ast.Node) {
	switch p := parent.(type) {
	case *ast.CompositeLit:
		if e == p.Type {
			return
		}
	case *ast.KeyValueExpr:
		if e != p.Value {
			return
		}
	default:
		return
	}
	if lit, ok := e.(*ast.CompositeLit); ok && lit.Type == nil {
		return
	}
	if _, ok := e.(*ast.FuncLit); ok {
		return
	}
	w.zeroed(e, t, "%s → zero", parent)
}

// caseValue makes a case of a switch match the zero value.
func (w *finder) caseValue(e ast.Expr, t types.TypeAndValue, stack []ast.Node) {
	clause, ok := stack[len(stack)-1].(*ast.CaseClause)
	if !ok || !slices.Contains(clause.List, e) {
		return
	}
	if s, ok := stack[len(stack)-3].(*ast.SwitchStmt); ok && s.Tag != nil {
		w.zeroed(e, t, "case %s → zero", e)
	}
}

func (w *finder) zeroed(e ast.Expr, t types.TypeAndValue, format string, shown ast.Node) {
	if zero(e, t) || t.Value != nil && t.Value.Kind() == constant.Bool {
		return
	}
	if binary, ok := e.(*ast.BinaryExpr); ok && w.basic(binary, types.IsBoolean) {
		return
	}
	if _, ok := shown.(*ast.CompositeLit); ok {
		shown = e
	}
	if id := w.new(e, fmt.Sprintf(format, w.of(w.source, shown))); id > 0 {
		w.around(e, fmt.Sprintf("mutantZero%s(mutant(%d), ", w.typeArgument(t.Type), id), ")")
	}
}

// typeArgument names a type where it can be named; elsewhere the compiler infers it.
func (w *finder) typeArgument(t types.Type) string {
	switch t := t.(type) {
	case *types.Basic:
		if t.Info()&types.IsUntyped == 0 {
			return "[" + t.Name() + "]"
		}
	case *types.Named:
		o := t.Obj()
		if t.TypeArgs().Len() > 0 || o.Pkg() == nil || o.Parent() != o.Pkg().Scope() {
			return ""
		}
		if o.Pkg().Path() == w.source.name {
			return "[" + o.Name() + "]"
		}
	}
	return ""
}
