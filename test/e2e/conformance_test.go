package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/test/conformance"
)

// conformanceFixture is a gateway with one recording of 1000 bytes, of which as many requests
// may be made as a campaign makes.
type conformanceFixture struct {
	*gateway
	file    string
	subject *conformance.Subject
}

func newConformanceFixture(t *testing.T) *conformanceFixture {
	t.Helper()
	c := newPlaybackFixture(t, "", "")
	f := &conformanceFixture{subject: &conformance.Subject{
		Stream: "/api/recordings/2/stream/", Playback: "/api/recordings/2/playback/", Host: siteName,
		Modified: time.Date(2026, 3, 1, 10, 20, 30, 0, time.UTC), Content: make([]byte, 1000),
	}}
	for i := range f.subject.Content {
		f.subject.Content[i] = byte(i ^ i>>8*13)
	}
	for _, e := range c.env {
		if root, ok := strings.CutPrefix(e, "LECTERN_ORIGIN_LOCAL_ROOT="); ok {
			f.file = filepath.Join(root, "two.mp4")
		}
	}
	if err := os.WriteFile(f.file, f.subject.Content, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(f.file, f.subject.Modified, f.subject.Modified); err != nil {
		t.Fatal(err)
	}
	f.gateway = c.serve(t, "LECTERN_LIMIT_AUTH_FAILURES=0", "LECTERN_LIMIT_PLAYBACKS_PER_HOUR=1000000", "LECTERN_LIMIT_API_RATE=0", "LECTERN_LIMIT_STREAMS_PER_USER=1000")
	f.subject.Token = token(t, "--user", pupil)
	res, _ := get(t, f.url+f.subject.Stream, f.subject.Token, "")
	f.subject.ETag = res.Header.Get("ETag")
	if res.StatusCode != http.StatusOK || f.subject.ETag == "" || res.Header.Get("Last-Modified") != f.subject.Modified.Format(http.TimeFormat) {
		t.Fatalf("%s %v", res.Status, res.Header)
	}
	return f
}

// TestConformance runs the table of HTTP/1.1 requirements against the gateway, bare and behind
// nginx; CONFORMANCE_PROXIES=all also behind Caddy and HAProxy.
func TestConformance(t *testing.T) {
	t.Parallel()
	f := newConformanceFixture(t)
	bare := f.bare()
	results := bare.Run(conformance.Cases(), conformance.First, conformance.Behind, conformance.Pieces)
	conformance.Summary(t.Output(), bare.Name, results)
	for _, r := range results {
		for _, fault := range r.Faults {
			t.Errorf("%s (RFC %s, %s): %s", r.Case.ID, r.Case.Section, r.Case.Level, fault)
		}
	}
	for _, e := range proxyExamples {
		if e.name == "nginx-fleet" || e.name != "nginx" && os.Getenv("CONFORMANCE_PROXIES") != "all" {
			continue
		}
		t.Run(e.name, func(t *testing.T) { f.behind(t, e) })
	}
}

// tapped starts a proxy in front of the gateway, and a tap between them.
func (f *conformanceFixture) tapped(t *testing.T, e proxyExample) (conformance.Server, *conformance.Tap) {
	t.Helper()
	tap, err := conformance.NewTap(strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tap.Close)
	p := startProxy(t, e, backends{tap.Address(), tap.Address(), tap.Address()}, nil)
	config := &tls.Config{RootCAs: p.client.Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: siteName, NextProtos: []string{"http/1.1"}}
	return conformance.Server{
		Name: e.name, Subject: f.subject, Patience: 3 * time.Second, Proxy: true,
		Dial: func() (net.Conn, error) { return tls.Dial("tcp", p.address, config) },
	}, tap
}

// behind runs the table behind a proxy.
func (f *conformanceFixture) behind(t *testing.T, e proxyExample) {
	server, tap := f.tapped(t, e)
	cases := conformance.Cases()
	if os.Getenv("CONFORMANCE_PROXIES") != "all" {
		cases = conformance.Framing() // conditions and ranges pass proxies unread
	}
	results, undated := conformance.WithoutDates(server.Run(cases, conformance.First))
	theirs := conformance.Proxies[e.name]
	conformance.Summary(t.Output(), server.Name, results)
	theirs.Failures(t.Output(), server.Name, results)
	fmt.Fprintf(t.Output(), "%-8s %d of its refusals have no Date (RFC 9110 6.6.1)\n", e.name, undated)
	for _, r := range theirs.Unknown(results) {
		t.Errorf("%s (RFC %s, %s): %s", r.Case.ID, r.Case.Section, r.Case.Level, strings.Join(r.Faults, " / "))
	}
	for _, d := range tap.Disagreements() {
		t.Errorf("the proxy and the gateway disagree: %s", d)
	}
	if n := tap.Turns(); n < len(results)/2 {
		t.Errorf("only %d requests reached the gateway", n)
	}
}
