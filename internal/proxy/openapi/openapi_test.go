package openapi

import (
	"strings"
	"testing"
	"testing/fstest"
)

// TestBuild merges sources, of which no two may describe the same thing.
func TestBuild(t *testing.T) {
	for _, c := range []struct {
		name, first, second string
		want, wrong         string
	}{
		{"sections of both", "paths: {/a: {get: {}}}", "paths: {/b: {}}\ncomponents: {schemas: {A: {type: object}}}",
			`{"components":{"schemas":{"A":{"type":"object"}}},"paths":{"/a":{"get":{}},"/b":{}}}`, ""},
		{"schemas of both", "components: {schemas: {A: {}}}", "components: {schemas: {B: {}}}", `{"components":{"schemas":{"A":{},"B":{}}}}`, ""},
		{"texts are not escaped", "a: <ü>", "b: 1", `{"a":"<ü>","b":1}`, ""},
		{"a schema twice", "components: {schemas: {A: {type: object}}}", "components: {schemas: {A: {type: string}}}", "", "components: schemas: A is in two"},
		{"a field twice", "openapi: 3.1.0", "openapi: 3.1.0", "", "b.yaml: openapi is in two sources"},
		{"no YAML", "a: [", "b: 1", "", "a.yaml"},
	} {
		got, err := build(fstest.MapFS{"document/a.yaml": {Data: []byte(c.first)}, "document/b.yaml": {Data: []byte(c.second)}})
		if string(got) != c.want || (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s: %s, %v", c.name, got, err)
		}
	}
}
