package e2e

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestJobsPageInBrowser: the queue's page works from localhost, where its own requests may
// delete a job. Those of a page of another origin may not, which Chromium sends without a
// preflight.
func TestJobsPageInBrowser(t *testing.T) {
	t.Parallel()
	s := serveProgram(t, "syncer", "LECTERN_DATA_DIR="+t.TempDir(), "ZOOM_WEBHOOK_SECRET_TOKEN="+zoomSecret)
	admin := strings.Replace(s.admin, "127.0.0.1", "localhost", 1)
	p := open(t, viewport{})
	p.goTo(admin + "/jobs/")
	p.until("the page shows the queue", "/Jobs/.test(document.body.innerText)")
	const list = "['completed', 'discarded', 'retryable', 'scheduled']"
	jobs := "Promise.all(" + list + ".map((s) => fetch('/jobs/api/jobs?limit=20&state=' + s).then((r) => r.json()))).then((all) => all.flatMap((one) => one.data.map((job) => String(job.id))))"
	var id string
	waitFor(t, "a job", func() bool {
		ids := js[[]string](p, jobs)
		if len(ids) > 0 {
			id = ids[0]
		}
		return id != ""
	})
	remove := "fetch('" + admin + "/jobs/api/jobs/delete', { method: 'POST', mode: MODE, body: JSON.stringify({ ids: ['" + id + "'] }) }).then((r) => r.status, () => -1)"

	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>foreign</title>"))
	}))
	defer foreign.Close()
	p.goTo(foreign.URL)
	js[int](p, strings.Replace(remove, "MODE", "'no-cors'", 1))
	p.goTo(admin + "/jobs/")
	if ids := js[[]string](p, jobs); !strings.Contains(" "+strings.Join(ids, " ")+" ", " "+id+" ") {
		t.Errorf("the foreign page deleted job %s of %v", id, ids)
	}
	if status := js[int](p, strings.Replace(remove, "MODE", "'same-origin'", 1)); status != http.StatusOK {
		t.Errorf("the page's own request: %d", status)
	}
	if ids := js[[]string](p, jobs); strings.Contains(" "+strings.Join(ids, " ")+" ", " "+id+" ") {
		t.Errorf("job %s is still there", id)
	}
}
