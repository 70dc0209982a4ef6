package reference

import (
	"io"
	"strings"
	"testing"
)

// TestEveryOperationHasASection: a page that lacks a section, or has one of nothing, is refused.
func TestEveryOperationHasASection(t *testing.T) {
	for wrong, page := range map[string]string{
		"no section of the page has": strings.Replace(page, `{{operations "storage" "/api/"}}`, "", 1),
		`the tag "sotrage"`:          strings.Replace(page, `"storage"`, `"sotrage"`, 1),
	} {
		if err := write(io.Discard, page); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%v, want %s", err, wrong)
		}
	}
}

// TestTypes: what a schema allows, in words.
func TestTypes(t *testing.T) {
	ref := object{"$ref": "#/components/schemas/Thing"}
	d := &description{root: object{"components": object{"schemas": object{
		"Thing": object{"type": "object", "properties": object{"a": object{"type": "string"}}},
		"Time":  object{"type": []any{"string", "null"}, "format": "date-time"},
	}}}}
	for want, schema := range map[string]object{
		"[Thing](#thing)":                   ref,
		"[Thing](#thing) or null":           {"oneOf": []any{ref, object{"type": "null"}}},
		"time or null":                      {"$ref": "#/components/schemas/Time"},
		"`a`, `b`, or `c`":                  {"enum": []any{"a", "b", "c"}},
		"`true`":                            {"const": true},
		"number, 0 to 1, or null":           {"type": []any{"number", "null"}, "minimum": 0.0, "maximum": 1.0},
		"list of integers, at most 1000000": {"type": "array", "maxItems": 1e6, "items": object{"type": "integer"}},
		"text, at most 5 characters":        {"type": "string", "maxLength": 5.0},
		"object of boolean":                 {"type": "object", "additionalProperties": object{"type": "boolean"}},
	} {
		if got := d.typeOf(schema); got != want {
			t.Errorf("%v is %s, want %s", schema, got, want)
		}
	}
}
