package azure

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"github.com/lectiospace/lectern/internal/archive/archivetest"
	"github.com/lectiospace/lectern/internal/emulator/azurite"
	"github.com/lectiospace/lectern/internal/emulator/faultproxy"
	"github.com/lectiospace/lectern/internal/media"
)

// requests are what each operation of the package does, by name.
func (s *server) requests(t *testing.T, key string) map[string]error {
	t.Helper()
	obj := media.Object{Provider: media.ProviderAzure, ID: key, Version: `"0x1"`, Size: 10}
	out := map[string]error{}
	_, out["stat"] = s.Origin.Stat(t.Context(), obj.Location())
	_, out["open"] = s.Origin.Open(t.Context(), obj, media.Span{Len: 10})
	_, out["put"] = s.Put(t.Context(), archivetest.Item(t, key, 1000, 1))
	_, out["archive stat"] = s.Archive.Stat(t.Context(), key)
	_, out["archive open"] = s.Archive.Open(t.Context(), key)
	out["remove"] = s.Remove(t.Context(), key)
	out["list"] = s.List(t.Context(), nil)
	out["abort"] = s.AbortUpload(t.Context(), key)
	_, out["abort stale"] = s.AbortStale(t.Context(), time.Now())
	return out
}

// TestNoSecretInErrors: neither a key, nor a signature, nor a token, nor what the service
// quotes of the request is in an error, whatever fails. The service's own text of a refused
// signature holds the string that was to be signed, and the SDK's errors hold that text.
func TestNoSecretInErrors(t *testing.T) {
	const quoting = `<?xml version="1.0"?><Error><Code>AuthenticationFailed</Code><Message>hidden</Message><AuthenticationErrorDetail>The MAC signature found in the HTTP request 'hidden-signature' is not the same</AuthenticationErrorDetail></Error>`
	var listener *httptest.Server
	answer := faultproxy.New("http://127.0.0.1:1")
	defer answer.Close()
	listener = httptest.NewServer(answer)
	defer listener.Close()
	endpoint := listener.URL + "/" + azurite.Account
	refused := api(http.StatusForbidden, "AuthenticationFailed", "Content-Type", "application/xml")
	refused.Body = quoting
	prose := api(http.StatusConflict, "hidden prose: https://x/?sig=hidden")
	for _, credentials := range []string{
		base64.StdEncoding.EncodeToString([]byte("hidden key")),
		"BlobEndpoint=" + endpoint + ";SharedAccessSignature=sv=2024-01-01&sp=rwdl&sig=hidden-signature",
	} {
		o, err := New(Config{URL: "azblob://lessons?storage_account=" + azurite.Account + "&endpoint=" + url.QueryEscape(endpoint), Credentials: credentials})
		if err != nil {
			t.Fatal(err)
		}
		s := &server{Archive: NewArchive(o)}
		s.retry.Tries = 1
		for name, fault := range map[string]faultproxy.Fault{
			"refused": refused, "prose for a code": prose, "reset": {Reset: true}, "a page": {Status: http.StatusOK, Body: "<html>hidden</html>"},
			"a broken list": {Status: http.StatusOK, Header: map[string]string{"Content-Type": "application/xml"}, Body: "<hidden"},
			"a redirect":    {Status: http.StatusFound, Header: map[string]string{"Location": "http://hidden.example/"}},
		} {
			answer.Set(fault)
			for operation, err := range s.requests(t, "a.mp4") {
				if err == nil && (operation != "remove" || name != "a page" && name != "a broken list") {
					t.Errorf("%s: %s succeeds", name, operation)
				}
				if err != nil && (strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "sig=") || strings.Contains(err.Error(), credentials)) {
					t.Errorf("%s: %s: %v", name, operation, err)
				}
			}
		}
		o.Stop()
	}
}

// TestSharedAccessSignature: a signature of a connection string is enough, also for names
// that a URL has to escape.
func TestSharedAccessSignature(t *testing.T) {
	s := start(t, "prefix=%D1%83%2F")
	s.write(t, "урок 1 %41.mp4", lesson)
	signature, err := s.container.Load().GetSASURL(sas.ContainerPermissions{Read: true, Add: true, Create: true, Write: true, Delete: true, List: true}, time.Now().Add(time.Hour), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, query, _ := strings.Cut(signature, "?")
	var seen http.Header
	s.proxy.Set(faultproxy.Fault{Rewrite: func(r *http.Request) { seen = r.Header }})
	if err := s.SetCredentials(Config{URL: s.cfg.URL, Credentials: "AccountName=" + azurite.Account + ";SharedAccessSignature=" + query}); err != nil {
		t.Fatal(err)
	}
	for name, err := range s.requests(t, "new.mp4") {
		if kind := media.KindOf(err); err != nil && kind != media.NotFound && kind != media.Changed {
			t.Errorf("%s: %v", name, err)
		}
	}
	if obj := s.stat(t, "урок 1 %41.mp4"); obj.Size != int64(len(lesson)) || seen.Get("Authorization") != "" {
		t.Errorf("%+v with %q", obj, seen.Get("Authorization"))
	}
}

// TestSetCredentials: others are used from now on; those of another account, and those that
// cannot be used, change nothing.
func TestSetCredentials(t *testing.T) {
	s := start(t)
	s.write(t, "a.mp4", lesson)
	for _, bad := range []string{"x!", "AccountName=other;AccountKey=aGlkZGVu", "UseDevelopmentStorage=true;"} {
		err := s.SetCredentials(Config{URL: s.cfg.URL, Credentials: bad})
		if bad == "UseDevelopmentStorage=true;" { // the same account and key, and the endpoint of the URL
			if err != nil {
				t.Error(err)
			}
		} else if err == nil || !strings.HasPrefix(err.Error(), "origin-azure-") {
			t.Errorf("%q: %v", bad, err)
		}
		s.stat(t, "a.mp4")
	}
	if err := s.SetCredentials(Config{URL: strings.Replace(s.cfg.URL, "azblob://test-", "azblob://rest-", 1), Credentials: s.cfg.Credentials}); err == nil {
		t.Error("another container is used while running")
	}
	if err := s.SetCredentials(Config{URL: s.cfg.URL, Credentials: base64.StdEncoding.EncodeToString([]byte("another"))}); err != nil {
		t.Fatal(err)
	}
	s.retry.Tries = 1
	if err := s.Remove(t.Context(), "a.mp4"); !strings.HasPrefix(media.ReasonOf(err), "Auth") {
		t.Errorf("with another key: %v", err)
	}
}

// TestIdentity: without credentials the SDK's own sources give a token, here those of the
// environment; what they answer when they refuse is in no error.
func TestIdentity(t *testing.T) {
	refuse := false
	login := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/discovery/instance"):
			fmt.Fprint(w, `{"tenant_discovery_endpoint": "https://login.example/tenant/v2.0/.well-known/openid-configuration", "metadata": []}`)
		case strings.HasSuffix(r.URL.Path, "/openid-configuration"):
			_ = json.NewEncoder(w).Encode(map[string]string{
				"authorization_endpoint": "https://login.example/tenant/authorize", "token_endpoint": "https://login.example/tenant/token", "issuer": "https://login.example/tenant",
			})
		case refuse:
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error": "invalid_client", "error_description": "hidden description"}`)
		case r.URL.Path == "/tenant/token":
			fmt.Fprint(w, `{"token_type": "Bearer", "expires_in": 3600, "access_token": "hidden-token"}`)
		case r.Header.Get("Authorization") == "Bearer hidden-token":
			w.Header().Set("Etag", `"0x1"`)
			w.Header().Set("Content-Length", "5")
		default:
			w.Header().Set("Www-Authenticate", `Bearer authorization_uri=https://login.example/tenant resource_id=https://storage.azure.com`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer login.Close()
	for name, v := range map[string]string{
		"AZURE_AUTHORITY_HOST": "https://login.example/", "AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "client", "AZURE_CLIENT_SECRET": "hidden-secret", "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
	} {
		t.Setenv(name, v)
	}
	for _, refuse = range []bool{false, true} {
		o, err := New(Config{URL: "azblob://lessons?storage_account=school"})
		if err != nil {
			t.Fatal(err)
		}
		// All names lead to the one server, whose certificate is for example.com.
		o.transport.TLSClientConfig = login.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		o.transport.TLSClientConfig.ServerName = "example.com"
		o.transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, login.Listener.Addr().String())
		}
		obj, err := o.Stat(t.Context(), media.Location{Key: "a.mp4"})
		if !refuse && (err != nil || obj.Size != 5) {
			t.Errorf("with a token: %+v, %v", obj, err)
		}
		if refuse && (media.KindOf(err) != media.Unavailable || media.ReasonOf(err) != ReasonNoToken || strings.Contains(err.Error(), "hidden")) {
			t.Errorf("without a token: %v", err)
		}
		o.Stop()
	}
}
