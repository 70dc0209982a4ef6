package reference

import (
	"fmt"
	"slices"
	"strings"
)

// methods are those of operations, in the order in which the page has them.
var methods = []string{"get", "post", "put", "patch", "delete"}

// operation is a route's method.
type operation struct {
	method, path, tag string
	doc               object
}

// all are the operations, by path and then by method.
func (d *description) all() (out []operation) {
	for _, path := range sorted(d.at("paths")) {
		item := d.at("paths", path)
		for _, method := range methods {
			if op, ok := item[method].(object); ok {
				tag := ""
				if tags, _ := op["tags"].([]any); len(tags) > 0 {
					tag, _ = tags[0].(string)
				}
				out = append(out, operation{strings.ToUpper(method), path, tag, op})
			}
		}
	}
	return out
}

// described is what the page says of an operation.
type described struct{ body, summary, answers, refusals, notes string }

// operations is a table of those with a tag, and what the table has no room for. Paths are
// written without base. Operations that are alike but for their path share a row.
func (d *description) operations(tag, base string) (string, error) {
	var rows []described
	names := map[described]string{}
	for _, op := range d.all() {
		if op.tag != tag {
			continue
		}
		row := described{body: d.body(op.doc, "requestBody"), summary: d.summary(op), notes: d.notes(op)}
		row.answers, row.refusals = d.answers(op)
		name := "`" + op.method + " " + strings.TrimPrefix(op.path, base) + "`"
		if alike := names[row]; alike != "" {
			names[row] = alike + ", " + name
			continue
		}
		rows = append(rows, row)
		names[row] = name
	}
	if len(rows) == 0 {
		return "", fmt.Errorf("there is no operation with the tag %q", tag)
	}
	d.used[tag] = true
	var table, more strings.Builder
	table.WriteString("| request | what it does | answer | refused with |\n|---|---|---|---|\n")
	for _, row := range rows {
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", strings.TrimSpace(names[row]+" "+row.body), row.summary, row.answers, row.refusals)
		switch {
		case strings.HasPrefix(row.notes, "* "):
			fmt.Fprintf(&more, "\n%s:\n\n%s\n", names[row], row.notes)
		case row.notes != "":
			fmt.Fprintf(&more, "\n%s: %s\n", names[row], row.notes)
		}
	}
	return table.String() + more.String(), nil
}

// summary is what an operation does, and the parameters that others have as well.
func (d *description) summary(op operation) string {
	out := text(op.doc, "summary")
	var names []string
	for _, p := range list(op.doc, "parameters") {
		if name, target := d.resolve(p); name != "" {
			names = append(names, fmt.Sprintf("`%s`", target["name"]))
		}
	}
	if len(names) > 0 {
		out += ". " + strings.Join(names, ", ")
	}
	return out
}

// answers are the statuses of an operation that was done, with their bodies, and the
// others.
func (d *description) answers(op operation) (done, refused string) {
	var dones, refusals []string
	responses, _ := op.doc["responses"].(object)
	for _, status := range sorted(responses) {
		_, response := d.resolve(responses[status].(object))
		if status >= "400" && !d.sameBody(responses, status) {
			refusals = append(refusals, status)
			continue
		}
		body, said := d.body(responses, status), strings.TrimSuffix(text(response, "description"), ".")
		one := strings.TrimSpace(status + " " + body)
		// "The recording." says nothing beside its name.
		if thing, ok := strings.CutPrefix(said, "The "); !ok || !strings.HasPrefix(strings.ToLower(body), "["+thing+"]") {
			one += ": " + said
		}
		dones = append(dones, one)
	}
	return strings.Join(dones, "<br>"), strings.Join(refusals, " ")
}

// sameBody is whether a status has the body of 200, as that of a program that is not ready.
func (d *description) sameBody(responses object, status string) bool {
	ok, here := d.body(responses, "200"), d.body(responses, status)
	return ok != "" && ok == here
}

// notes are an operation's description, its own parameters, and refusals that are described
// for it.
func (d *description) notes(op operation) string {
	var out []string
	if said, _ := op.doc["description"].(string); said != "" {
		out = append(out, strings.TrimSpace(said))
	}
	var items []string
	for _, p := range list(op.doc, "parameters") {
		name, target := d.resolve(p)
		if name != "" || text(target, "description") == "" {
			continue
		}
		schema, _ := target["schema"].(object)
		items = append(items, fmt.Sprintf("* `%s`, %s: %s", target["name"], d.typeOf(schema), text(target, "description")))
	}
	responses, _ := op.doc["responses"].(object)
	for _, status := range sorted(responses) {
		if response := responses[status].(object); status >= "400" && response["$ref"] == nil && !d.sameBody(responses, status) {
			items = append(items, fmt.Sprintf("* %s: %s", status, text(response, "description")))
		}
	}
	if len(items) > 0 {
		out = append(out, strings.Join(items, "\n"))
	}
	return strings.Join(out, "\n\n")
}

// body is the JSON that a request or an answer has, "" for none. Other content types are
// named.
func (d *description) body(of object, field string) string {
	v, _ := of[field].(object)
	_, v = d.resolve(v)
	content, _ := v["content"].(object)
	var out []string
	for _, kind := range sorted(content) {
		media, _ := content[kind].(object)
		schema, _ := media["schema"].(object)
		if kind != "application/json" {
			out = append(out, "`"+kind+"`")
			continue
		}
		if schema["properties"] != nil {
			out = append(out, d.inline(schema))
			continue
		}
		out = append(out, d.typeOf(schema))
	}
	return strings.Join(out, " or ")
}

// inline is an object that has no name, by its fields.
func (d *description) inline(schema object) string {
	required, _ := schema["required"].([]any)
	var names []string
	for _, name := range d.order(schema) {
		mark := ""
		if !slices.Contains(required, any(name)) {
			mark = "?"
		}
		names = append(names, fmt.Sprintf("%q%s", name, mark))
	}
	return "`{" + strings.Join(names, ", ") + "}`"
}
