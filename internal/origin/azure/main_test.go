package azure

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/emulator/azurite"
	"github.com/lectiospace/lectern/internal/emulator/faultproxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a container of Azurite behind a proxy that lies on request, and an archive with
// small blocks and short waits on it.
type server struct {
	*Archive
	proxy *faultproxy.Proxy
	url   string // of the container, for anybody
	cfg   Config
}

// start starts a server. parameters are further ones of the URL.
func start(t *testing.T, parameters ...string) *server {
	t.Helper()
	return startBehind(t, func(next http.Handler) http.Handler { return next }, parameters...)
}

// startBehind is start with a handler in front of the proxy.
func startBehind(t *testing.T, wrap func(http.Handler) http.Handler, parameters ...string) *server {
	t.Helper()
	target, err := url.Parse(azurite.Endpoint(t))
	if err != nil {
		t.Fatal(err)
	}
	name := azurite.PublicContainer(t)
	proxy := faultproxy.New(target.Scheme + "://" + target.Host)
	listener := httptest.NewServer(wrap(proxy))
	t.Cleanup(func() { listener.Close(); proxy.Close() })
	cfg := Config{
		URL:         "azblob://" + name + "?" + strings.Join(append(parameters, "endpoint="+url.QueryEscape(listener.URL+target.Path)), "&"),
		Credentials: azurite.Key,
	}
	o, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Stop)
	a := NewArchive(o)
	a.block = 1 << 20
	a.retry.Before = func(int) time.Duration { return time.Millisecond }
	return &server{Archive: a, proxy: proxy, url: azurite.Endpoint(t) + "/" + name, cfg: cfg}
}

// keyOf is a new key of an archive.
func keyOf(t *testing.T, a archive.Archive) string {
	t.Helper()
	key, err := a.NewKey(t.Context(), "7")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// comp matches requests of a method and an operation of the API, "" for those without.
func comp(method, operation string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method && r.URL.Query().Get("comp") == operation }
}
