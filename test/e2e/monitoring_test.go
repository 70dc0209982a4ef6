package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/configs/monitoring"
	"github.com/lectiospace/lectern/internal/pgtest"
)

// TestMonitoring: what the shipped rules and the dashboard look at is exposed by the
// programs before anything has happened. While the database is away, the syncer is alive
// and not ready, and says so.
func TestMonitoring(t *testing.T) {
	t.Parallel()
	server := pgtest.StartServer(t)
	env := onPostgres(t, server.Database(t))
	g := serve(t, env...)
	s := serveProgram(t, "syncer", append(env, "ZOOM_WEBHOOK_SECRET_TOKEN="+zoomSecret)...)
	var exposed []string
	for _, base := range []string{g.admin, s.admin} {
		_, body := get(t, base+"/metrics", "", "")
		exposed = append(exposed, strings.Split(string(body), "\n")...)
	}
	queries := map[string]string{}
	for _, name := range []string{"rules.yml", "alerts.yml"} {
		data, err := os.ReadFile("../../configs/monitoring/" + name)
		if err != nil {
			t.Fatal(err)
		}
		queries[name] = string(data)
	}
	for _, row := range monitoring.Rows {
		for _, panel := range row.Panels {
			for _, q := range panel.Queries {
				queries[row.Title+", "+panel.Title] += q.Expr + "\n"
			}
		}
	}
	checked := 0
	for where, text := range queries {
		for _, m := range regexp.MustCompile(`\b(lectern_\w+)(?:\{([^}]*)\})?`).FindAllStringSubmatch(text, -1) {
			if checked++; !isExposed(exposed, m[1], m[2]) {
				t.Errorf("%s: no series of %s", where, m[0])
			}
		}
	}
	if checked < 60 {
		t.Errorf("%d selectors were found", checked)
	}

	ready := func() string {
		res, body := get(t, s.admin+"/readyz", "", "")
		return fmt.Sprint(res.StatusCode, " ", string(body))
	}
	server.Stop(t)
	waitFor(t, "the outage", func() bool { return strings.HasPrefix(ready(), `503 {"ready":false`) })
	wantMetrics(t, s, "lectern_ready 0", "lectern_database_up 0")
	if res, _ := get(t, s.admin+"/healthz", "", ""); res.StatusCode != 200 {
		t.Errorf("healthz: %s", res.Status)
	}
	server.Restart(t)
	waitFor(t, "readiness", func() bool { return strings.HasPrefix(ready(), `200 {"ready":true`) })
	wantMetrics(t, s, "lectern_ready 1", "lectern_database_up 1")
}

// isExposed reports whether a line is a sample of a metric whose labels match.
func isExposed(lines []string, name, matchers string) bool {
	for _, line := range lines {
		sample, ok := strings.CutPrefix(line, name)
		if !ok || !strings.HasPrefix(sample, "{") && !strings.HasPrefix(sample, " ") {
			continue
		}
		matches := true
		for _, m := range regexp.MustCompile(`(\w+)(=~|!=|=)"([^"]*)"`).FindAllStringSubmatch(matchers, -1) {
			value := regexp.MustCompile(`[{,]` + m[1] + `="([^"]*)"`).FindStringSubmatch(sample)
			switch {
			case value == nil:
				matches = false
			case m[2] == "=~":
				matches = matches && regexp.MustCompile("^(?:"+m[3]+")$").MatchString(value[1])
			default:
				matches = matches && (value[1] == m[3]) == (m[2] == "=")
			}
		}
		if matches {
			return true
		}
	}
	return false
}
