package origin_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
)

// TestTraceparent: requests carry that of their context, along a redirect only to the same
// host; the request of the caller stays as it is.
func TestTraceparent(t *testing.T) {
	const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	got := map[string]string{} // by path
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got[r.URL.Path] = r.Header.Get("Traceparent")
		switch r.URL.Path {
		case "/first":
			http.Redirect(w, r, "/second", http.StatusFound)
		case "/second":
			http.Redirect(w, r, "http://"+strings.Replace(r.Host, "127.0.0.1", "localhost", 1)+"/elsewhere", http.StatusFound)
		case "/elsewhere":
			http.Redirect(w, r, "/elsewhere/still", http.StatusFound)
		}
	}))
	defer server.Close()
	client := &http.Client{Transport: origin.WithTraceparent(&http.Transport{})}
	defer client.CloseIdleConnections()
	for _, c := range []struct{ traceparent, path string }{{traceparent, "/first"}, {"", "/none"}} {
		req, err := http.NewRequestWithContext(media.WithTraceparent(t.Context(), c.traceparent), http.MethodGet, server.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if len(req.Header) != 0 {
			t.Errorf("the caller's request has headers: %v", req.Header)
		}
	}
	for path, want := range map[string]string{"/first": traceparent, "/second": traceparent, "/elsewhere": "", "/elsewhere/still": "", "/none": ""} {
		if value, asked := got[path]; !asked || value != want {
			t.Errorf("%s got %q (%v), want %q", path, value, asked, want)
		}
	}
}
