package monitoring

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write dashboard.json")

// TestDashboard: the file is what the code makes.
func TestDashboard(t *testing.T) {
	want, err := Dashboard()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("dashboard.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile("dashboard.json"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("dashboard.json is not current (%v): go test ./configs/monitoring -update", err)
	}
}

// TestPromtool: Prometheus's own checker takes the files, and the alerts fire and stay
// silent as tests.yml says.
func TestPromtool(t *testing.T) {
	for _, args := range [][]string{
		{"check", "config", "scrape.yml"}, {"check", "rules", "rules.yml", "alerts.yml"}, {"test", "rules", "tests.yml"},
	} {
		if out, err := exec.CommandContext(t.Context(), "promtool", args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// TestDashboardQueries: Prometheus's checker parses each query of the dashboard, as rules.
func TestDashboardQueries(t *testing.T) {
	var rules strings.Builder
	rules.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	for _, row := range Rows {
		for _, panel := range row.Panels {
			for i, q := range panel.Queries {
				name := regexp.MustCompile(`\W+`).ReplaceAllString(strings.ToLower(row.Title+"_"+panel.Title+"_"+string(rune('a'+i))), "_")
				rules.WriteString("      - {record: " + name + ", expr: '" + q.Expr + "'}\n")
			}
		}
	}
	path := t.TempDir() + "/dashboard.yml"
	if err := os.WriteFile(path, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "promtool", "check", "rules", path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestAlertsSayWhatToDo: each alert has a severity, a summary and a link into the runbook,
// and waits unless it looks at an increase.
func TestAlertsSayWhatToDo(t *testing.T) {
	data, err := os.ReadFile("alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	runbook, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	alerts := strings.Split(string(data), "- alert: ")[1:]
	if len(alerts) < 20 {
		t.Fatalf("%d alerts", len(alerts))
	}
	for _, alert := range alerts {
		name, _, _ := strings.Cut(alert, "\n")
		if !regexp.MustCompile(`severity: (critical|warning)`).MatchString(alert) || !strings.Contains(alert, "summary: ") {
			t.Errorf("%s has no severity or no summary", name)
		}
		if !strings.Contains(alert, "docs/runbook.md#"+strings.ToLower(name)+"\n") || !strings.Contains(string(runbook), "\n### "+name+"\n") {
			t.Errorf("%s has no link to a heading of the runbook", name)
		}
		if strings.Contains(alert, "\n        for: ") == regexp.MustCompile(`expr: (>-\s+)?increase\(`).MatchString(alert) {
			t.Errorf("%s: for is needed, except with an increase", name)
		}
	}
}
