package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
	"github.com/lectiospace/lectern/internal/origin/azure"
	"github.com/lectiospace/lectern/internal/origin/s3"
)

// TestReadsNameAVersion: of an object in a bucket or a container that the gateway does not
// know yet no byte is requested before its version is known.
func TestReadsNameAVersion(t *testing.T) {
	requests := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r.Method
		w.Header().Set("ETag", `"0x1"`)
		w.Header().Set("Content-Length", "1000000")
		w.Header().Set("Last-Modified", "Mon, 02 Nov 2026 10:00:00 GMT")
		w.Header().Set("X-Ms-Blob-Type", "BlockBlob")
	}))
	defer server.Close()
	endpoint := "endpoint=" + url.QueryEscape(server.URL)
	cfg := &config.Settings{}
	cfg.Origin.S3 = s3.Config{URL: "s3://school?use_path_style=true&" + endpoint, Credentials: "none"}
	cfg.Origin.Azure = azure.Config{URL: "azblob://school?storage_account=school&" + endpoint, Credentials: "c2VjcmV0"}
	s := &service{settings: cfg, log: slog.New(slog.DiscardHandler)}
	defer s.close()
	routes := map[string]origin.Origin{}
	if err := s.openRemotes(t.Context(), routes, origin.NewObserver(prometheus.NewRegistry())); err != nil {
		t.Fatal(err)
	}
	for _, provider := range []string{media.ProviderS3, media.ProviderAzure} {
		cache := origin.NewStatCache(origin.NewRouter(routes), time.Minute, time.Now)
		opener := origin.NewSpeculativeOpener(cache, origin.NewRouter(routes), nil)
		obj, release, err := opener.StatPrefetch(t.Context(), media.Location{Provider: provider, Key: "lesson.mp4"}, media.Copy{}, 0)
		release()
		cache.Close()
		if err != nil || obj.Version != `"0x1"` {
			t.Errorf("%s: %+v, %v", provider, obj, err)
		}
	}
	server.Close()
	close(requests)
	seen := 0
	for method := range requests {
		if seen++; method != http.MethodHead {
			t.Errorf("%s without a version", method)
		}
	}
	if seen == 0 {
		t.Error("nothing was described")
	}
}
