// Package openapitest holds what the gateway really answers against its description.
package openapitest

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/lectiospace/lectern/internal/proxy/openapi"
)

// location is the URI under which the document is compiled.
const location = "openapi.json"

// methods are the fields of a path that are operations.
var methods = []string{"get", "post", "put", "patch", "delete", "head", "options", "trace"}

// Exchange is a request and its answer.
type Exchange struct {
	Method, Path string // the path without its query
	Request      string // the body, which is not checked where the request was refused
	Status       int
	ContentType  string
	Body         string
}

// Description is the compiled document. It is safe for concurrent use.
type Description struct {
	document map[string]any

	mu       sync.Mutex // guards the compiler, which keeps what it has compiled
	compiler *jsonschema.Compiler
}

// Load returns the document, which is parsed once in a process. Objects whose schema does not say otherwise are closed: a field
// of an answer that is not described is an error here, while clients ignore it.
var Load = sync.OnceValues(load)

func load() (*Description, error) {
	text, err := openapi.Document()
	if err != nil {
		return nil, err
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	closeObjects(parsed)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(location, parsed); err != nil {
		return nil, err
	}
	return &Description{document: parsed.(map[string]any), compiler: c}, nil
}

// closeObjects forbids fields that are not described.
func closeObjects(v any) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			closeObjects(one)
		}
	case map[string]any:
		for _, one := range v {
			closeObjects(one)
		}
		_, said := v["additionalProperties"]
		if _, ok := v["properties"].(map[string]any); ok && v["type"] == "object" && !said {
			v["additionalProperties"] = false
		}
	}
}

// Operations are the methods of each path, in capitals and sorted.
func (d *Description) Operations() map[string][]string {
	out := map[string][]string{}
	for path, item := range d.object("/paths") {
		for field := range item.(map[string]any) {
			if slices.Contains(methods, field) {
				out[path] = append(out[path], strings.ToUpper(field))
			}
		}
		slices.Sort(out[path])
	}
	return out
}

// CompileAll compiles every schema of the components and of the operations.
func (d *Description) CompileAll() error {
	for name := range d.object("/components/schemas") {
		if _, err := d.schema("/components/schemas/" + escape(name)); err != nil {
			return err
		}
	}
	for _, at := range d.contents("", d.document, nil) {
		if _, err := d.schema(at); err != nil {
			return err
		}
	}
	return nil
}

// contents are the pointers of the schemas of bodies and parameters.
func (d *Description) contents(at string, v any, found []string) []string {
	switch v := v.(type) {
	case []any:
		for i, one := range v {
			found = d.contents(at+"/"+strconv.Itoa(i), one, found)
		}
	case map[string]any:
		for key, one := range v {
			if key == "schema" {
				found = append(found, at+"/schema")
			} else if at+"/"+key != "/components/schemas" {
				found = d.contents(at+"/"+escape(key), one, found)
			}
		}
	}
	return found
}

// Check returns what about an exchange is not as described. described is false where the
// document does not have the path, or has it without the method, which the server refuses.
func (d *Description) Check(e Exchange) (described bool, err error) {
	path, ok := d.path(e.Path)
	if !ok {
		return false, nil
	}
	method := strings.ToLower(e.Method)
	if method == "head" {
		method, e.Body = "get", ""
	}
	at := "/paths/" + escape(path) + "/" + method
	operation := d.object(at)
	if operation == nil {
		if e.Status < 400 && method != "options" {
			return false, fmt.Errorf("%s %s is not described, and answered with %d", e.Method, path, e.Status)
		}
		return false, nil
	}
	if e.Status < 300 && e.Request != "" {
		if err := d.validate(at+"/requestBody/content/application~1json/schema", e.Request); err != nil {
			return true, fmt.Errorf("the request's body: %w", err)
		}
	}
	answer, err := d.resolve(at + "/responses/" + strconv.Itoa(e.Status))
	if err != nil {
		return true, fmt.Errorf("%s %s: the status %d is not described", e.Method, path, e.Status)
	}
	switch described := d.object(answer+"/content") != nil; {
	case e.Method == "HEAD":
		return true, nil
	case !described && e.Body != "":
		return true, fmt.Errorf("%s %s: %d has a body, which is not described", e.Method, path, e.Status)
	case !described:
		return true, nil
	}
	kind, _, _ := strings.Cut(e.ContentType, ";")
	if _, ok := d.object(answer + "/content")[kind]; !ok {
		return true, fmt.Errorf("%s %s: %d has the content type %q", e.Method, path, e.Status, e.ContentType)
	}
	if kind != openapi.ContentType {
		return true, nil
	}
	if err := d.validate(answer+"/content/application~1json/schema", e.Body); err != nil {
		return true, fmt.Errorf("%s %s: %d: %w", e.Method, path, e.Status, err)
	}
	return true, nil
}

// path is the described path that a request's matches, below one of its servers. A path
// without variables goes before one with them.
func (d *Description) path(requested string) (path string, ok bool) {
	for candidate, item := range d.object("/paths") {
		servers, own := item.(map[string]any)["servers"].([]any)
		if !own {
			servers, _ = d.document["servers"].([]any)
		}
		for _, s := range servers {
			base, _ := s.(map[string]any)["url"].(string)
			if !matches(strings.TrimSuffix(base, "/")+candidate, requested) {
				continue
			}
			if !strings.Contains(candidate, "{") {
				return candidate, true
			}
			path, ok = candidate, true
		}
	}
	return path, ok
}

// matches compares a template with a path, final slashes aside.
func matches(template, path string) bool {
	a, b := strings.Split(strings.Trim(template, "/"), "/"), strings.Split(strings.Trim(path, "/"), "/")
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !strings.HasPrefix(a[i], "{") && a[i] != b[i] {
			return false
		}
	}
	return true
}

// resolve follows a reference, and fails where nothing is.
func (d *Description) resolve(at string) (string, error) {
	found := d.object(at)
	if found == nil {
		return "", fmt.Errorf("%s is missing", at)
	}
	if ref, ok := found["$ref"].(string); ok {
		return d.resolve(strings.TrimPrefix(ref, "#"))
	}
	return at, nil
}

// object is what a pointer (RFC 6901) leads to, nil where that is no object.
func (d *Description) object(pointer string) map[string]any {
	var v any = d.document
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		of, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = of[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)]
	}
	out, _ := v.(map[string]any)
	return out
}

// validate holds a body against a schema.
func (d *Description) validate(at, body string) error {
	schema, err := d.schema(at)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: %s", err, body)
	}
	return schema.Validate(v)
}

func (d *Description) schema(at string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.compiler.Compile(location + "#" + (&url.URL{Path: at}).EscapedPath())
}

// escape is a key as a step of a pointer.
func escape(key string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(key) }
