package configs

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/config"
)

// TestUnitsAreHardened: systemd's own judgement of the units. The live one is in test/e2e.
func TestUnitsAreHardened(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	for program, limit := range map[string]float64{"gateway": 1.3, "syncer": 1.5} {
		out, err := exec.Command(analyze, "security", "--offline=yes", "systemd/lectern-"+program+".service").CombinedOutput()
		m := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindSubmatch(out)
		if err != nil || m == nil {
			t.Fatalf("%s: %v\n%s", program, err, out)
		}
		if exposure, err := strconv.ParseFloat(string(m[1]), 64); err != nil || exposure > limit {
			t.Errorf("%s: exposure %s, at most %.1f\n%s", program, m[1], limit, out)
		}
	}
}

// TestUnitsMayLowerPriorities: the cache's writers and ffmpeg run at a low priority, so the
// filter of system calls permits that after it has removed the group of the call.
func TestUnitsMayLowerPriorities(t *testing.T) {
	for _, program := range []string{"gateway", "syncer"} {
		data, err := os.ReadFile("systemd/lectern-" + program + ".service")
		if err != nil {
			t.Fatal(err)
		}
		permitted := false
		for line := range strings.Lines(string(data)) {
			if calls, ok := strings.CutPrefix(strings.TrimSpace(line), "SystemCallFilter="); ok && strings.Contains(calls, "@resources") {
				permitted = false
			} else if ok && slices.Contains(strings.Fields(calls), "setpriority") {
				permitted = true
			}
		}
		if !permitted {
			t.Errorf("%s: the unit refuses setpriority", program)
		}
	}
}

// TestUnitsLoadEverySecret: each secret of a program is an optional credential of its unit.
func TestUnitsLoadEverySecret(t *testing.T) {
	for program, settings := range map[string]any{"gateway": config.Settings{}, "syncer": config.SyncerSettings{}} {
		data, err := os.ReadFile("systemd/lectern-" + program + ".service")
		if err != nil {
			t.Fatal(err)
		}
		unit := "\n" + string(data)
		names := secretsOf(reflect.TypeOf(settings), "")
		if len(names) < 4 {
			t.Errorf("%s: found only the secrets %q", program, names)
		}
		for _, name := range names {
			variable := "LECTERN_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "_FILE"
			for _, line := range []string{
				"LoadCredential=" + name + ":/etc/lectern/credentials/" + name,
				"SetCredential=" + name + `:\n`,
				"Environment=" + variable + "=%d/" + name,
			} {
				if !strings.Contains(unit, "\n"+line+"\n") {
					t.Errorf("%s: no line %s", program, line)
				}
			}
		}
		if got, want := strings.Count(unit, "\nLoadCredential="), len(names); got != want {
			t.Errorf("%s: %d credentials, %d secrets", program, got, want)
		}
	}
}

// TestRunUsesTheUnit: lectern-run gives a program, and its new binary during an upgrade,
// the account, the settings and the credentials of the unit.
func TestRunUsesTheUnit(t *testing.T) {
	dir := t.TempDir()
	for name, script := range map[string]string{
		"systemctl": `case "$1 $2 $3 $4" in
			"show --property=Environment --value lectern-gateway.service") echo A_FILE=/run/credentials/lectern-gateway.service/a ;;
			"cat lectern-gateway.service  ") echo User=lectern; echo LoadCredential=a:/etc/a ;;
			*) echo "systemctl $*: no such unit" >&2; exit 1 ;;
			esac`,
		"systemd-run": `printf '%s\n' "$@"`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, program := range []string{"gateway", "gateway.new", "other"} {
		cmd := exec.Command("sh", "systemd/lectern-run", program, "doctor", "--json")
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if program == "other" {
			if err == nil || strings.Contains(string(out), "/usr/local/bin/other") {
				t.Errorf("a program without a unit runs: %v\n%s", err, out)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v\n%s", program, err, out)
			continue
		}
		run := regexp.MustCompile(`lectern-run-\d+\.service`).FindString(string(out))
		for _, want := range []string{
			"--property=User=lectern\n", "--property=LoadCredential=a:/etc/a\n", "--setenv=A_FILE=/run/credentials/" + run + "/a\n",
			"\n--\n/usr/local/bin/" + program + "\ndoctor\n--json\n",
		} {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s: no %q in\n%s", program, want, out)
			}
		}
	}
}

// secretsOf lists the settings of a struct that are secrets, in their flags' spelling.
func secretsOf(s reflect.Type, prefix string) (names []string) {
	for field := range s.Fields() {
		_, embedded := field.Tag.Lookup("embed")
		if field.Type.Kind() == reflect.Struct && (embedded || field.Anonymous) {
			names = append(names, secretsOf(field.Type, prefix+field.Tag.Get("prefix"))...)
		}
		if _, secret := field.Tag.Lookup("secret"); secret {
			names = append(names, prefix+field.Tag.Get("name"))
		}
	}
	return names
}
