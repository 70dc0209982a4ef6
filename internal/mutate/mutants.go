package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
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
