package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// given is a value from a file or the environment, and its source.
type given struct {
	value  string
	source string
}

// readFile flattens a YAML document into settings by their flag names. Keys that
// no program knows are errors: a typo must not silently mean the default.
func readFile(name string, data []byte, all known) (map[string]given, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, &Error{Setting: "config", Source: "file " + name, Problem: strings.ReplaceAll(err.Error(), "\n", " ")}
	}
	out := map[string]given{}
	f := fileReader{name: name, all: all, out: out}
	if err := f.mapping("", doc.Content[0]); err != nil {
		return nil, err
	}
	return out, nil
}

type fileReader struct {
	name string
	all  known
	out  map[string]given
}

func (f *fileReader) fail(n *yaml.Node, setting, format string, args ...any) error {
	return &Error{Setting: setting, Source: f.at(n), Problem: fmt.Sprintf(format, args...)}
}

func (f *fileReader) at(n *yaml.Node) string { return fmt.Sprintf("file %s line %d", f.name, n.Line) }

// mapping reads one section; prefix is its flag form with a final dash, or "".
func (f *fileReader) mapping(prefix string, n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil // a section with all its keys commented out
	}
	if n.Kind != yaml.MappingNode {
		return f.fail(n, strings.TrimSuffix(prefix, "-"), "must hold keys and values")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := prefix + strings.ReplaceAll(key.Value, "_", "-")
		if sections[name] {
			if err := f.mapping(name+"-", value); err != nil {
				return err
			}
			continue
		}
		if err := f.setting(name, key, value); err != nil {
			return err
		}
	}
	return nil
}

func (f *fileReader) setting(name string, key, value *yaml.Node) error {
	if strings.Contains(key.Value, "-") || !f.accepts(name) {
		problem := "is not a setting"
		if near := f.all.nearest(name); near != "" {
			problem += "; did you mean " + strings.Join(flagToPath(near), ".") + "?"
		}
		return f.fail(key, strings.Join(append(flagToPath(name)[:len(flagToPath(name))-1], key.Value), "."), "%s", problem)
	}
	if _, twice := f.out[name]; twice {
		return f.fail(key, name, "is given twice")
	}
	switch {
	case value.Kind == yaml.ScalarNode && value.Tag == "!!null":
		return nil
	case value.Kind == yaml.ScalarNode:
		f.out[name] = given{value.Value, f.at(value)}
	case value.Kind == yaml.SequenceNode:
		var items []string
		for _, item := range value.Content {
			if item.Kind != yaml.ScalarNode {
				return f.fail(item, name, "must be a list of plain values")
			}
			items = append(items, item.Value)
		}
		f.out[name] = given{strings.Join(items, ","), f.at(value)}
	default:
		return f.fail(value, name, "must be a plain value or a list")
	}
	return nil
}

// accepts reports whether name is a setting, or the …-file form of a secret.
func (f *fileReader) accepts(name string) bool {
	if _, ok := f.all[name]; ok {
		return true
	}
	base, isFile := strings.CutSuffix(name, "-file")
	return isFile && f.all[base]
}
