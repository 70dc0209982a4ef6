package doctor

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/emulator/azurite"
	"github.com/lectiospace/lectern/internal/emulator/faultproxy"
	"github.com/lectiospace/lectern/internal/origin/azure"
)

// TestAzure: the checks do what a gateway and an ingest do, name the right that is missing by
// what was tried, and leave nothing behind.
func TestAzure(t *testing.T) {
	target, err := url.Parse(azurite.Endpoint(t))
	if err != nil {
		t.Fatal(err)
	}
	is := func(method string, comp string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Method == method && r.URL.Query().Get("comp") == comp }
	}
	refuse := func(match func(*http.Request) bool, status int, code string) faultproxy.Fault {
		return faultproxy.Fault{Match: match, Status: status, Header: map[string]string{"X-Ms-Error-Code": code, "X-Ms-Request-Id": "1"}}
	}
	list, read, block, remove := is(http.MethodGet, "list"), is(http.MethodGet, ""), is(http.MethodPut, "block"), is(http.MethodDelete, "")
	const denied = "AuthorizationPermissionMismatch"
	for _, c := range []struct {
		name      string
		fault     faultproxy.Fault
		container string // instead of the one that exists
		key       string // instead of the account's
		archive   bool   // of what the syncer's check says alone
		want      Status
		says, fix string
	}{
		{name: "all well", want: Pass},
		{name: "no such container", container: "no-such-container", want: Fail, says: "ContainerNotFound", fix: "make the container"},
		{name: "a wrong key", key: "d3Jvbmc=", want: Fail, says: "403", fix: "key"},
		{name: "no key at all", key: "!", want: Fail, says: "origin-azure-credentials", fix: "as the portal shows it"},
		{name: "may not list", fault: refuse(list, 403, denied), want: Fail, says: "list: ", fix: "blobs/read), or l"},
		{name: "may not write", fault: refuse(block, 403, denied), archive: true, want: Fail, says: "write: ", fix: "blobs/write)"},
		{name: "may not read", fault: refuse(read, 403, denied), archive: true, want: Fail, says: "read: ", fix: "blobs/read), or r"},
		{name: "may not delete", fault: refuse(remove, 403, denied), archive: true, want: Fail, says: "delete: ", fix: "blobs/delete)"},
		{name: "the firewall", fault: refuse(nil, 403, "AuthorizationFailure"), want: Fail, says: "AuthorizationFailure", fix: "firewall"},
		{name: "the account is disabled", fault: refuse(nil, 403, "AccountIsDisabled"), want: Fail, says: "AccountIsDisabled", fix: "subscription"},
		{name: "a captive portal", fault: faultproxy.Fault{Status: 403, Body: "<html>log in</html>"}, want: Fail, says: "proxy", fix: "HTTPS_PROXY"},
		{name: "busy", fault: refuse(nil, 503, "ServerBusy"), want: Warn, says: "slower", fix: "wait"},
		{name: "unreachable", fault: faultproxy.Fault{Reset: true}, want: Fail, says: "unavailable", fix: "the network"},
	} {
		t.Run(c.name, func(t *testing.T) {
			proxy := faultproxy.New(target.Scheme + "://" + target.Host)
			defer proxy.Close()
			server := httptest.NewServer(proxy)
			defer server.Close()
			proxy.Set(c.fault)
			name, key := azurite.Container(t), azurite.Key
			if c.container != "" {
				name = c.container
			}
			if c.key != "" {
				key = c.key
			}
			cfg := azure.Config{URL: "azblob://" + name + "?endpoint=" + url.QueryEscape(server.URL+target.Path), Credentials: key}
			for check, run := range map[string]func(*Report){
				nameOriginAzure: func(r *Report) { r.AzureOrigin(t.Context(), cfg, time.Minute) },
				nameArchive:     func(r *Report) { r.AzureArchive(t.Context(), cfg, time.Minute) },
			} {
				if c.archive && check != nameArchive {
					continue
				}
				var r Report
				run(&r)
				f := last(t, &r)
				if f.Check != check || f.Status != c.want || !strings.Contains(f.Detail, c.says) || !strings.Contains(f.Fix, c.fix) {
					t.Errorf("%+v, want %s saying %q, fix %q", f, c.want, c.says, c.fix)
				}
			}
			if c.name == "may not delete" || c.container != "" || c.key != "" {
				return
			}
			proxy.Set()
			var after Report
			after.AzureOrigin(t.Context(), cfg, time.Minute)
			if f := last(t, &after); !strings.Contains(f.Detail, "no blob") {
				t.Errorf("left behind: %+v", f)
			}
		})
	}
}

// TestAzureClock: our clock is compared with the service's, whose limit is 15 minutes.
func TestAzureClock(t *testing.T) {
	target, err := url.Parse(azurite.Endpoint(t))
	if err != nil {
		t.Fatal(err)
	}
	proxy := faultproxy.New(target.Scheme + "://" + target.Host)
	defer proxy.Close()
	server := httptest.NewServer(proxy)
	defer server.Close()
	proxy.Set(faultproxy.Fault{SetHeader: map[string]string{"Date": time.Now().Add(20 * time.Minute).UTC().Format(http.TimeFormat)}})
	cfg := azure.Config{URL: "azblob://" + azurite.Container(t) + "?endpoint=" + url.QueryEscape(server.URL+target.Path), Credentials: azurite.Key}
	var r Report
	r.AzureOrigin(t.Context(), cfg, time.Minute)
	if f := r.Findings()[0]; f.Check != nameClock || f.Status != Fail || !strings.Contains(f.Detail, "Azure") {
		t.Errorf("%+v", r.Findings())
	}
	var none Report
	none.AzureOrigin(t.Context(), azure.Config{}, time.Minute)
	if f := last(t, &none); f.Status != Pass || f.Detail != "not configured" {
		t.Errorf("%+v", f)
	}
}
