package reference

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// bodies has a section for each schema that is an object, or a list of objects.
func (d *description) bodies() string {
	var b strings.Builder
	for _, name := range sorted(d.at("components", "schemas")) {
		schema := d.at("components", "schemas", name)
		if !isSection(schema) {
			continue
		}
		fmt.Fprintf(&b, "### %s\n\n", name)
		said := text(schema, "description")
		if items, ok := schema["items"].(object); ok {
			said = strings.TrimSpace("A list of objects" + bound(schema, "maxItems", ", at most %s") + ". " + said)
			schema = items
		}
		if said != "" {
			fmt.Fprintf(&b, "%s\n\n", said)
		}
		b.WriteString("| field | type | meaning |\n|---|---|---|\n")
		d.fields(&b, schema, "")
		b.WriteString("\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

// isSection is whether a schema has a section of its own.
func isSection(schema object) bool {
	if items, ok := schema["items"].(object); ok {
		schema = items
	}
	return schema["properties"] != nil
}

// fields writes a row for each field of an object, and of the objects in it that have no name.
func (d *description) fields(b *strings.Builder, schema object, prefix string) {
	required, _ := schema["required"].([]any)
	properties, _ := schema["properties"].(object)
	for _, name := range d.order(schema) {
		field, _ := properties[name].(object)
		kind := d.typeOf(field)
		if !slices.Contains(required, any(name)) {
			kind += ", optional"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", prefix+name, kind, d.meaning(field))
		if field["properties"] != nil {
			d.fields(b, field, prefix+name+".")
		}
		if items, ok := field["items"].(object); ok && items["properties"] != nil {
			d.fields(b, items, prefix+name+"[].")
		}
	}
}

// order is the fields as the list of required ones has them, and the others behind.
func (d *description) order(schema object) (out []string) {
	required, _ := schema["required"].([]any)
	properties, _ := schema["properties"].(object)
	for _, name := range required {
		if name, ok := name.(string); ok && properties[name] != nil {
			out = append(out, name)
		}
	}
	for _, name := range sorted(properties) {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// meaning is a field's description, with examples and what counts where it is missing.
func (d *description) meaning(field object) string {
	out := text(field, "description")
	if examples, ok := field["examples"].([]any); ok {
		out = strings.TrimSpace(out + " As " + strings.Join(values(examples), ", ") + ".")
	}
	if value, ok := field["default"]; ok {
		out = strings.TrimSpace(fmt.Sprintf("%s By default `%v`.", out, value))
	}
	return out
}

// values are literals.
func values(all []any) (out []string) {
	for _, v := range all {
		out = append(out, fmt.Sprintf("`%v`", v))
	}
	return out
}

// either joins what a value may be.
func either(kinds []string) string {
	last := len(kinds) - 1
	if last == 0 {
		return kinds[0]
	}
	comma := ""
	if last > 1 || strings.Contains(kinds[0], ",") {
		comma = ","
	}
	return strings.Join(kinds[:last], ", ") + comma + " or " + kinds[last]
}

// typeOf is what a schema allows, in words.
func (d *description) typeOf(schema object) string {
	name, target := d.resolve(schema)
	if name != "" && isSection(target) {
		return fmt.Sprintf("[%s](#%s)", name, strings.ToLower(name))
	}
	for _, field := range []string{"oneOf", "anyOf"} {
		var kinds []string
		for _, one := range list(target, field) {
			kinds = append(kinds, d.typeOf(one))
		}
		if len(kinds) > 0 {
			return either(kinds)
		}
	}
	if all, ok := target["enum"].([]any); ok {
		return either(values(all))
	}
	if value, ok := target["const"]; ok {
		return either(values([]any{value}))
	}
	switch kinds := target["type"].(type) {
	case string:
		return d.simple(kinds, target)
	case []any:
		var out []string
		for _, kind := range kinds {
			out = append(out, d.simple(fmt.Sprint(kind), target))
		}
		return either(out)
	}
	return "anything"
}

// formats are the names of texts with a format.
var formats = map[string]string{"date-time": "time", "date": "date", "uri": "URL"}

// plurals are types in lists.
var plurals = map[string]string{"object": "objects", "integer": "integers", "number": "numbers", "text": "texts", "URL": "URLs"}

// simple is a schema of one type.
func (d *description) simple(kind string, schema object) string {
	switch kind {
	case "string":
		format, _ := schema["format"].(string)
		if name := formats[format]; name != "" {
			return name
		}
		return "text" + between(schema, "minLength", "maxLength", " characters")
	case "integer", "number":
		return kind + between(schema, "minimum", "maximum", "")
	case "array":
		items, _ := schema["items"].(object)
		of := d.typeOf(items)
		if name := plurals[of]; name != "" {
			of = name
		}
		return "list of " + of + bound(schema, "maxItems", ", at most %s")
	case "object":
		if values, ok := schema["additionalProperties"].(object); ok {
			return "object of " + d.typeOf(values)
		}
		return "object"
	case "boolean", "null":
		return kind
	}
	panic("BUG: the description has the type " + kind)
}

// between is the bounds of a value, where there is an upper one.
func between(schema object, lower, upper, unit string) string {
	most := bound(schema, upper, "%s")
	if most == "" {
		return ""
	}
	if least := bound(schema, lower, "%s"); least != "" {
		return ", " + least + " to " + most + unit
	}
	return ", at most " + most + unit
}

// bound is a number in a format, "" where there is none.
func bound(schema object, field, format string) string {
	n, ok := schema[field].(float64)
	if !ok {
		return ""
	}
	return fmt.Sprintf(format, strconv.FormatFloat(n, 'f', -1, 64))
}
