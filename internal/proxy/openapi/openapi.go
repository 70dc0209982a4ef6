// Package openapi has the description of the gateway's API and of the syncer's webhooks, in
// OpenAPI 3.1.
//
// document holds it as YAML, a file for each part of the API. The files are one document that
// was cut by subject: paths and components of all of them are merged.
package openapi

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"sync"

	"go.yaml.in/yaml/v3"
)

// ContentType is the media type of the document.
const ContentType = "application/json"

//go:embed document/*.yaml
var sources embed.FS

// Document returns the description as JSON, which is built once. An error means that the
// sources are at fault. The caller must not change the bytes.
var Document = sync.OnceValues(func() ([]byte, error) { return build(sources) })

// build merges all sources.
func build(sources fs.FS) ([]byte, error) {
	names, err := fs.Glob(sources, "document/*.yaml")
	if err != nil {
		return nil, err
	}
	merged := map[string]any{}
	for _, name := range names {
		text, err := fs.ReadFile(sources, name)
		if err != nil {
			return nil, err
		}
		var part map[string]any
		if err := yaml.Unmarshal(text, &part); err != nil {
			return nil, fmt.Errorf("openapi: %s: %w", name, err)
		}
		if err := merge(merged, part, sections); err != nil {
			return nil, fmt.Errorf("openapi: %s: %w", name, err)
		}
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(merged); err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// sections is how deep the objects nest that several sources contribute to: components, its
// schemas, and what these contain.
const sections = 2

// merge adds a source's fields. Below depth levels a field belongs to one source only.
func merge(into, from map[string]any, depth int) error {
	for key, value := range from {
		old, there := into[key]
		if !there {
			into[key] = value
			continue
		}
		a, isObject := old.(map[string]any)
		b, both := value.(map[string]any)
		if !isObject || !both || depth == 0 {
			return fmt.Errorf("%s is in two sources", key)
		}
		if err := merge(a, b, depth-1); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}
