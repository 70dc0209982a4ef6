// Package configs tests that the examples match the code.
package configs

import (
	"io"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

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

type syncerCLI struct {
	config.SyncerSettings `embed:""`
	Serve                 struct{} `cmd:"" default:"withargs"`
}

func syncerSettings(t *testing.T, args ...string) config.SyncerSettings {
	t.Helper()
	var c syncerCLI
	if _, err := config.Parse("syncer", "", &c, append([]string{"serve"}, args...), nil, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	c.SyncerSettings.Config = ""
	return c.SyncerSettings
}

// TestExampleServesTheSyncerToo: the same file holds every setting of the syncer with
// its default, except the listeners, which are the gateway's.
func TestExampleServesTheSyncerToo(t *testing.T) {
	with, without := syncerSettings(t, "--config", "lectern.yaml", "--listen", "127.0.0.1:8081", "--admin-listen", "127.0.0.1:9091"), syncerSettings(t)
	var a, b []byte
	if config.PrintSyncer(writer{&a}, &with) != nil || config.PrintSyncer(writer{&b}, &without) != nil {
		t.Fatal("not printed")
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

// TestUnitsNameTheirProgram: each unit starts the program it is named after, with the
// path that the example is installed to.
func TestUnitsNameTheirProgram(t *testing.T) {
	for _, program := range []string{"gateway", "syncer"} {
		unit, err := os.ReadFile("systemd/lectern-" + program + ".service")
		if err != nil || !strings.Contains(string(unit), "ExecStart=/usr/local/bin/"+program+" serve --config /etc/lectern/lectern.yaml\n") {
			t.Errorf("%s: %v", program, err)
		}
	}
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
