package config

import (
	"encoding"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// redacted replaces secrets in what is printed.
const redacted = "[redacted]"

// Print writes the effective settings in the layout of a configuration file,
// without their secrets.
func Print(w io.Writer, s *Settings) error {
	var cli struct {
		Settings `embed:""`
	}
	model, err := kong.New(&cli, kong.Exit(func(int) {}), varsOf("gateway"))
	if err != nil {
		panic("BUG: " + err.Error())
	}
	cli.Settings = *s // the model points at these fields
	return printFlags(w, model)
}

// PrintSyncer is Print for the syncer.
func PrintSyncer(w io.Writer, s *SyncerSettings) error {
	var cli struct {
		SyncerSettings `embed:""`
	}
	model, err := kong.New(&cli, kong.Exit(func(int) {}), varsOf("syncer"))
	if err != nil {
		panic("BUG: " + err.Error())
	}
	cli.SyncerSettings = *s
	return printFlags(w, model)
}

func printFlags(w io.Writer, model *kong.Kong) error {
	root := &yaml.Node{Kind: yaml.MappingNode}
	for _, flag := range model.Model.Flags {
		switch flag.Name {
		case "help", "version", "config", "print-config":
			continue
		}
		path := flagToPath(flag.Name)
		insert(root, path, printed(flag))
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(root); err != nil {
		return err
	}
	return enc.Close()
}

// insert adds a value below its sections, and the sections that are missing.
func insert(n *yaml.Node, path []string, value any) {
	for _, section := range path[:len(path)-1] {
		n = child(n, section)
	}
	v := &yaml.Node{}
	if err := v.Encode(value); err != nil {
		panic("BUG: " + err.Error())
	}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: path[len(path)-1]}, v)
}

func child(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	c := &yaml.Node{Kind: yaml.MappingNode}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name}, c)
	return c
}

// printed is a flag's value as a file would hold it.
func printed(flag *kong.Flag) any {
	v := flag.Target.Interface()
	if flag.Tag.Has("secret") {
		text := fmt.Sprint(v)
		if flag.Name == "database-url" {
			return withoutPassword(text)
		}
		if text == "[]" {
			return []string{}
		}
		if text == "" || text == "none" {
			return text
		}
		return redacted
	}
	switch t := v.(type) {
	case time.Duration:
		return t.String()
	case encoding.TextMarshaler:
		text, _ := t.MarshalText()
		return string(text)
	}
	if text, ok := v.(string); ok && strings.Contains(text, "@") && isHTTP(text) {
		return withoutPassword(text)
	}
	if rv := reflect.ValueOf(v); rv.Kind() == reflect.Slice && rv.IsNil() {
		return []string{}
	}
	return v
}

// withoutPassword redacts the password of a database URL, in the URL's user
// part or in its query.
func withoutPassword(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return redacted
	}
	if _, has := u.User.Password(); has {
		u.User = url.UserPassword(u.User.Username(), "redacted")
	}
	q := u.Query()
	for _, name := range []string{"password", "sslpassword"} {
		if q.Has(name) {
			q.Set(name, "redacted")
			u.RawQuery = q.Encode()
		}
	}
	return u.String()
}
