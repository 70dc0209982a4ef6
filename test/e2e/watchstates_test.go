package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/pgtest"
)

// maxLoss is how old what a killed gateway loses may be.
const maxLoss = 12 * time.Second

// reportWatching sends a PUT watch-state/ of the pupil.
func reportWatching(t *testing.T, g *gateway, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, g.url+"/api/recordings/1/watch-state/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+simpleJWT(1))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		t.Errorf("%s: %s", body, res.Status)
	}
}

// TestWatchStatesSurvive: a viewer reports from two devices at two gateways. What a killed gateway
// loses is not older than twelve seconds; what is reported while the database is away is
// written once it is back; a gateway that is stopped loses nothing.
func TestWatchStatesSurvive(t *testing.T) {
	t.Parallel()
	database := pgtest.Start(t)
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	wire := newCutter(t, u.Host)
	u.Host = wire.ln.Addr().String()
	c := newPlaybackFixture(t, database, u.String())
	direct := append([]string{"LECTERN_DATA_DIR=" + t.TempDir()}, c.env...)
	direct = append(direct, "LECTERN_DATABASE_URL="+database)
	stored := func() string {
		var out struct {
			Watched []struct {
				Position float64         `json:"position"`
				Played   json.RawMessage `json:"played"`
			} `json:"watched"`
		}
		text, _ := command(t, direct, 0, "gateway", "catalog", "export", "--user", pupil)
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if len(out.Watched) == 0 {
			return "nothing"
		}
		return strings.Join(strings.Fields(fmt.Sprintf("%v %s", out.Watched[0].Position, out.Watched[0].Played)), "")
	}
	one, two := c.serve(t), c.serve(t)

	began := time.Now()
	reportWatching(t, one, `{"position": 300, "played": [[200, 300]]}`)
	reportWatching(t, two, `{"position": 100, "played": [[0, 100]]}`)
	both := func(g *gateway) bool { // a gateway knows what the other one was told once that is written
		_, body := get(t, g.url+"/api/recordings/1/watch-state/", simpleJWT(1), "")
		return strings.Contains(string(body), `"watched":0.037037`) // 20 of 540 buckets
	}
	waitFor(t, "what both devices reported", func() bool { return both(one) && both(two) })
	if took := time.Since(began); took > maxLoss {
		t.Errorf("the reports were written after %s", took)
	}
	one.kill()
	if got := stored(); got != "100[[0,100],[200,300]]" {
		t.Errorf("both devices' reports are %s", got)
	}
	if _, body := get(t, two.url+"/api/recordings/1/watch-state/", simpleJWT(1), ""); !strings.Contains(string(body), `"position":100,`) {
		t.Errorf("the other gateway says %s", body)
	}

	wire.set(true)
	reportWatching(t, two, `{"position": 200, "played": [[100, 150]]}`)
	two.stderr.find(t, "a flush that fails", func(line string) bool { return strings.Contains(line, "watch states: flush failed") })
	reportWatching(t, two, `{"position": 210, "played": [[150, 200]]}`)
	if got := stored(); got != "100[[0,100],[200,300]]" {
		t.Errorf("while the database is away there is %s", got)
	}
	wire.set(false)
	waitFor(t, "what was reported while the database was away", func() bool { return stored() == "210[[0,300]]" })

	reportWatching(t, two, `{"position": 400, "played": [[300, 400]]}`)
	two.stop(t, syscall.SIGTERM)
	if got := stored(); got != "400[[0,400]]" {
		t.Errorf("after a clean stop there is %s", got)
	}
}
