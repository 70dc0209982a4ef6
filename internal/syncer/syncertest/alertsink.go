package syncertest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/lectiospace/lectern/internal/alert"
)

// AlertSink receives alerts.
type AlertSink struct {
	mu     sync.Mutex
	got    []alert.Message
	server *httptest.Server
}

func newAlertSink(t *testing.T) *AlertSink {
	a := &AlertSink{}
	a.server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m alert.Message
		if json.NewDecoder(r.Body).Decode(&m) == nil {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.got = append(a.got, m)
		}
	}))
	t.Cleanup(a.server.Close)
	return a
}

// Titles are the alerts' states and titles, in the order in which they came.
func (a *AlertSink) Titles() (out []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.got {
		out = append(out, m.State+": "+m.Title)
	}
	return out
}
