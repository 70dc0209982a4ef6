package configs

import (
	"os"
	"os/exec"
	"reflect"
	"regexp"
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
