// Package configs tests that the examples are true.
package configs

import (
	"io"
	"os"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/lectiospace/lectern/internal/config"
)

type cli struct {
	config.Settings `embed:""`
	Serve           struct{} `cmd:"" default:"withargs"`
}

func settings(t *testing.T, args ...string) config.Settings {
	t.Helper()
	var c cli
	if _, err := config.Parse("gateway", "", &c, append([]string{"serve"}, args...), nil, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	c.Settings.Config = ""
	return c.Settings
}

// TestExampleHoldsTheDefaults: the file changes nothing and names every setting.
func TestExampleHoldsTheDefaults(t *testing.T) {
	with, without := settings(t, "--config", "lectern.yaml"), settings(t)
	var a, b []byte
	for _, p := range []struct {
		s   config.Settings
		out *[]byte
	}{{with, &a}, {without, &b}} {
		w := writer{p.out}
		if err := config.Print(w, &p.s); err != nil {
			t.Fatal(err)
		}
	}
	if string(a) != string(b) {
		t.Errorf("the example differs from the defaults:\n%s\n---\n%s", a, b)
	}
	example, err := os.ReadFile("lectern.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var want, have map[string]any
	if yaml.Unmarshal(b, &want) != nil || yaml.Unmarshal(example, &have) != nil {
		t.Fatal("not YAML")
	}
	missing(t, "", want, have)
}

type writer struct{ out *[]byte }

func (w writer) Write(p []byte) (int, error) { *w.out = append(*w.out, p...); return len(p), nil }

func missing(t *testing.T, path string, want, have map[string]any) {
	t.Helper()
	for key, value := range want {
		got, ok := have[key]
		if !ok {
			t.Errorf("lectern.yaml does not name %s%s", path, key)
			continue
		}
		if section, isSection := value.(map[string]any); isSection {
			inner, _ := got.(map[string]any)
			missing(t, path+key+".", section, inner)
		}
	}
}

func TestPrometheusFilesAreYAML(t *testing.T) {
	for _, name := range []string{"prometheus/scrape.yml", "prometheus/alerts.yml"} {
		data, err := os.ReadFile(name)
		var doc map[string]any
		if err != nil || yaml.Unmarshal(data, &doc) != nil || len(doc) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
