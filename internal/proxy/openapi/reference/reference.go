// Package reference writes docs/http-api.md: a page that is written by hand, page.tmpl, with
// tables that are made of the description of the API. A route, a body or an error of an
// operation is described in one place only.
package reference

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/template"

	"github.com/lectiospace/lectern/internal/proxy/openapi"
)

//go:embed page.tmpl
var page string

// object is one of the description's.
type object = map[string]any

// description is the parsed document.
type description struct {
	root object
	used map[string]bool // the tags of the operations that the page has
}

// Write writes the page. An operation that no section of the page has is an error.
func Write(w io.Writer) error { return write(w, page) }

func write(w io.Writer, page string) error {
	text, err := openapi.Document()
	if err != nil {
		return err
	}
	d := &description{used: map[string]bool{}}
	if err := json.Unmarshal(text, &d.root); err != nil {
		return fmt.Errorf("reference: %w", err)
	}
	made, err := template.New("page.tmpl").Option("missingkey=error").Funcs(template.FuncMap{
		"operations": d.operations, "parameters": d.parameters, "bodies": d.bodies,
	}).Parse(page)
	if err != nil {
		return fmt.Errorf("reference: %w", err)
	}
	if err := made.Execute(w, nil); err != nil {
		return fmt.Errorf("reference: %w", err)
	}
	for _, op := range d.all() {
		if !d.used[op.tag] {
			return fmt.Errorf("reference: no section of the page has %s %s", op.method, op.path)
		}
	}
	return nil
}

// at is what a path of keys leads to, nil where nothing is.
func (d *description) at(keys ...string) object {
	v := d.root
	for _, key := range keys {
		v, _ = v[key].(object)
	}
	return v
}

// resolve follows a reference. name is that of what it leads to, "" where v is none.
func (d *description) resolve(v object) (name string, target object) {
	ref, ok := v["$ref"].(string)
	if !ok {
		return "", v
	}
	keys := strings.Split(strings.TrimPrefix(ref, "#/"), "/")
	return keys[len(keys)-1], d.at(keys...)
}

// text is a field of text on one line.
func text(v object, field string) string {
	s, _ := v[field].(string)
	return strings.Join(strings.Fields(s), " ")
}

// list is a field that is a list of objects.
func list(v object, field string) (out []object) {
	all, _ := v[field].([]any)
	for _, one := range all {
		if o, ok := one.(object); ok {
			out = append(out, o)
		}
	}
	return out
}

// sorted are the keys in their order.
func sorted(v object) []string { return slices.Sorted(maps.Keys(v)) }

// parameters lists what several operations have alike.
func (d *description) parameters() string {
	var b strings.Builder
	for _, name := range sorted(d.at("components", "parameters")) {
		_, p := d.resolve(d.at("components", "parameters", name))
		if p["in"] == "query" {
			fmt.Fprintf(&b, "* `%s`: %s\n", p["name"], text(p, "description"))
		}
	}
	return b.String()
}
