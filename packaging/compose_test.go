package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// TestCompose: configs/compose.yaml is what Compose's own parser accepts, and each service
// of ours has settings that its program takes.
func TestCompose(t *testing.T) {
	r := fixture(t)
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  t.TempDir(),
		ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml", Content: read(t, "../configs/compose.yaml")}},
		Environment: types.Mapping{},
	})
	if err != nil {
		t.Fatal(err)
	}
	services := slices.Sorted(func(yield func(string) bool) {
		for name := range project.Services {
			if !yield(name) {
				return
			}
		}
	})
	if want := []string{"database", "gateway", "migrate", "syncer"}; !slices.Equal(services, want) {
		t.Fatalf("services %q, want %q", services, want)
	}
	for name, service := range project.Services {
		if name != "migrate" && (service.HealthCheck == nil || service.Restart != "unless-stopped") {
			t.Errorf("%s: health check %v, restart %q", name, service.HealthCheck, service.Restart)
		}
		if name == "database" {
			continue
		}
		if !service.ReadOnly || !slices.Equal(service.CapDrop, []string{"ALL"}) || service.Privileged {
			t.Errorf("%s may do more than it has to", name)
		}
		if dependency, ok := service.DependsOn["migrate"]; name != "migrate" && (!ok || dependency.Condition != "service_completed_successfully") {
			t.Errorf("%s does not wait for the schema", name)
		}
		accepted(t, r.builds[0], name, service)
	}
	for _, line := range []string{"gateway healthcheck", "syncer healthcheck"} {
		program, _, _ := strings.Cut(line, " ")
		if got := strings.Join(project.Services[program].HealthCheck.Test[1:], " "); got != line {
			t.Errorf("the health check of %s is %q", program, got)
		}
	}
	for name, secret := range project.Secrets {
		if secret.File == "" {
			t.Errorf("the secret %s is no file", name)
		}
	}
}

// accepted has the program of a service print its configuration, which names the first
// setting that it does not take.
func accepted(t *testing.T, b *buildOf, name string, service types.ServiceConfig) {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, service.Command[0])
	if err := os.WriteFile(program, b.programs[service.Command[0]], 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "--print-config")
	cmd.Env = []string{"LECTERN_LISTEN=:8080"}
	for variable, value := range service.Environment {
		if secret, ok := strings.CutPrefix(*value, "/run/secrets/"); ok {
			if !slices.ContainsFunc(service.Secrets, func(s types.ServiceSecretConfig) bool { return s.Source == secret }) {
				t.Errorf("%s has no secret %s", name, secret)
			}
			path := filepath.Join(dir, secret)
			content := "postgres://lectern:password@database/lectern?sslmode=disable"
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			value = &path
		}
		cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%s", variable, *value))
	}
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "warning") || !strings.Contains(string(out), "database_url") {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
}
