package openapitest

import (
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestDocumentIsOpenAPI holds the document against the OpenAPI Initiative's schema of OpenAPI
// 3.1 documents, and compiles every schema in it.
func TestDocumentIsOpenAPI(t *testing.T) {
	d, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/openapi-3.1.schema.json"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	meta, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(file, meta); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(d.document); err != nil {
		t.Error(err)
	}
	if err := d.CompileAll(); err != nil {
		t.Error(err)
	}
	for _, at := range nulls("", d.document, nil) {
		t.Errorf("%s has no value: a text with a comma or a colon has to be quoted in the source", at)
	}
	ids := map[string]string{}
	for path, methods := range d.Operations() {
		for _, method := range methods {
			at := "/paths/" + escape(path) + "/" + strings.ToLower(method)
			id, _ := d.object(at)["operationId"].(string)
			if old, twice := ids[id]; id == "" || twice {
				t.Errorf("%s: the operationId %q is empty, or that of %s, too", at, id, old)
			}
			ids[id] = at
		}
	}
}

// nulls are the pointers of fields without a value.
func nulls(at string, v any, found []string) []string {
	switch v := v.(type) {
	case nil:
		return append(found, at)
	case []any:
		for _, one := range v {
			found = nulls(at+"/-", one, found)
		}
	case map[string]any:
		for key, one := range v {
			found = nulls(at+"/"+escape(key), one, found)
		}
	}
	return found
}

// TestCheck shows that what is not described is seen.
func TestCheck(t *testing.T) {
	d, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	const kind = "application/json"
	for _, c := range []struct {
		name      string
		exchange  Exchange
		described bool
		wrong     string // "" = as described
	}{
		{"good", Exchange{"GET", "/readyz", "", 200, kind, `{"ready":true}`}, true, ""},
		{"below the platform's base", Exchange{"GET", "/schedule/api/recordings/progress", "", 200, kind, `[]`}, true, ""},
		{"an undescribed field", Exchange{"GET", "/readyz", "", 200, kind, `{"ready":true,"why":"x"}`}, true, "why"},
		{"a missing field", Exchange{"GET", "/readyz", "", 200, kind, `{}`}, true, "ready"},
		{"another type", Exchange{"GET", "/readyz", "", 200, kind, `{"ready":1}`}, true, "boolean"},
		{"an undescribed status", Exchange{"GET", "/readyz", "", 418, kind, `{}`}, true, "418"},
		{"another content type", Exchange{"GET", "/readyz", "", 200, "text/html", `{"ready":true}`}, true, "text/html"},
		{"a body where none is described", Exchange{"DELETE", "/session", "", 204, kind, `{}`}, true, "body"},
		{"a time that is none", Exchange{"POST", "/session/code", "", 201, kind, `{"code":"a","expires_at":"soon"}`}, true, "date-time"},
		{"a request's body", Exchange{"POST", "/session", `{"code":1}`, 204, "", ""}, true, "request"},
		{"a method that is refused", Exchange{"PATCH", "/session", "", 405, kind, `{}`}, false, ""},
		{"a method that is not", Exchange{"PATCH", "/session", "", 200, kind, `{}`}, false, "not described"},
		{"another route", Exchange{"GET", "/app.js", "", 200, "text/javascript", ``}, false, ""},
		{"a session below a base", Exchange{"GET", "/schedule/session", "", 404, kind, ``}, false, ""},
	} {
		described, err := d.Check(c.exchange)
		if described != c.described || (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s: %v, %v", c.name, described, err)
		}
	}
}
