package azure

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"

	"github.com/lectiospace/lectern/internal/emulator/faultproxy"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
	"github.com/lectiospace/lectern/internal/origin/origintest"
)

var lesson = bytes.Repeat([]byte("a lesson of many bytes, "), 20_000)

// write makes a blob as another program would.
func (s *server) write(t *testing.T, key string, data []byte) {
	t.Helper()
	client, err := s.blockBlob(key)
	if err != nil {
		t.Fatal(err)
	}
	kind := "video/mp4"
	_, err = client.Upload(t.Context(), streaming.NopCloser(bytes.NewReader(data)), &blockblob.UploadOptions{HTTPHeaders: &blob.HTTPHeaders{BlobContentType: &kind}})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *server) stat(t *testing.T, key string) media.Object {
	t.Helper()
	obj, err := s.Origin.Stat(t.Context(), media.Location{Provider: media.ProviderAzure, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return obj
}

func TestConformance(t *testing.T) {
	s := start(t, "prefix=lessons%2F")
	files := map[string][]byte{"a.mp4": lesson, "group/урок 1 %41+&?#.MP4": []byte("x"), "empty.mp4": {}}
	for key, data := range files {
		s.write(t, key, data)
	}
	origintest.Conformance(t, s.Origin, media.ProviderAzure, files)
	obj := s.stat(t, "a.mp4")
	if obj.ContentType != "video/mp4" || obj.ModTime.IsZero() || !obj.Pinned {
		t.Errorf("%+v", obj)
	}
	if resp, err := http.Get(s.url + "/lessons/a.mp4"); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("the prefix is not in front of the key: %v, %v", resp, err)
	} else {
		resp.Body.Close()
		http.DefaultClient.CloseIdleConnections()
	}
}

// TestRefusedKeys: no key leads out of the prefix, and nothing is asked about one that would.
func TestRefusedKeys(t *testing.T) {
	s := start(t, "prefix=lessons%2F.")
	s.proxy.Set(faultproxy.Fault{Match: func(r *http.Request) bool { t.Errorf("asked: %s", r.URL); return false }})
	for _, key := range []string{"", "./a.mp4", "../a.mp4", "x/../../a.mp4", "a\x00.mp4", "a\n.mp4", `..\a.mp4`} {
		if obj, err := s.Origin.Stat(t.Context(), media.Location{Key: key}); media.KindOf(err) != media.NotFound {
			t.Errorf("%q: %+v, %v", key, obj, err)
		}
	}
}

// TestEveryReadIsBounded: a read names its version and its range.
func TestEveryReadIsBounded(t *testing.T) {
	s := start(t)
	s.write(t, "a.mp4", lesson)
	obj := s.stat(t, "a.mp4")
	var seen http.Header
	s.proxy.Set(faultproxy.Fault{Match: comp(http.MethodGet, ""), Rewrite: func(r *http.Request) { seen = r.Header }})
	if got, err := origintest.Read(t.Context(), s.Origin, obj, media.Span{Off: 5, Len: 10}); err != nil || !bytes.Equal(got, lesson[5:15]) {
		t.Fatalf("%q, %v", got, err)
	}
	if seen.Get("X-Ms-Range") != "bytes=5-14" || seen.Get("If-Match") != obj.Version || !isETag(obj.Version) {
		t.Errorf("headers %v for version %s", seen, obj.Version)
	}
}

// TestFaults: whatever the service or what is in front of it answers, a read gives exactly
// the bytes of its version or an error of the right kind, directly and with the decorators
// of a gateway.
func TestFaults(t *testing.T) {
	drop := func(r *http.Request) { r.Header.Del("X-Ms-Range"); r.Header.Del("Range") }
	shift := func(r *http.Request) { r.Header.Set("X-Ms-Range", "bytes=100-199") }
	span := media.Span{Off: 7, Len: 200_000}
	for _, c := range []struct {
		name  string
		fault faultproxy.Fault
		want  media.Kind // of a single read; Other: it succeeds
	}{
		{"nothing", faultproxy.Fault{}, media.Other},
		{"slow", faultproxy.Fault{Pause: 1e6, PauseEvery: 20_000}, media.Other},
		{"short", faultproxy.Fault{CutAfter: 50_000}, media.Corrupt},
		{"reset before a byte", faultproxy.Fault{Reset: true}, media.Unavailable},
		{"the whole for a range", faultproxy.Fault{Rewrite: drop}, media.Corrupt},
		{"the whole as a range", faultproxy.Fault{Rewrite: drop, AnswerStatus: http.StatusPartialContent}, media.Corrupt},
		{"a range as the whole", faultproxy.Fault{AnswerStatus: http.StatusOK}, media.Corrupt},
		{"bytes of another range", faultproxy.Fault{Rewrite: shift}, media.Corrupt},
		{"a wrong Content-Range", faultproxy.Fault{SetHeader: map[string]string{"Content-Range": "bytes 0-199999/480000"}}, media.Corrupt},
		{"no Content-Range", faultproxy.Fault{SetHeader: map[string]string{"Content-Range": ""}}, media.Corrupt},
		{"another size", faultproxy.Fault{SetHeader: map[string]string{"Content-Range": "bytes 7-200006/480001"}}, media.Corrupt},
		{"another version", faultproxy.Fault{SetHeader: map[string]string{"Etag": `"0x1"`}}, media.Changed},
		{"no version", faultproxy.Fault{SetHeader: map[string]string{"Etag": ""}}, media.Corrupt},
		{"another version of another size", faultproxy.Fault{SetHeader: map[string]string{"Etag": `"0x1"`, "Content-Range": "bytes 7-200006/480001"}}, media.Changed},
		{"a coded body", faultproxy.Fault{SetHeader: map[string]string{"Content-Encoding": "gzip"}}, media.Corrupt},
		{"a page", faultproxy.Fault{Status: http.StatusOK, Header: map[string]string{"Content-Type": "text/html"}, Body: "<html>log in</html>"}, media.Corrupt},
		{"a page with a status", faultproxy.Fault{Status: http.StatusForbidden, Body: "<html>log in</html>"}, media.Unavailable},
		{"a redirect", faultproxy.Fault{Status: http.StatusFound, Header: map[string]string{"Location": "http://127.0.0.1:1/"}}, media.Unavailable},
		{"busy", api(http.StatusServiceUnavailable, "ServerBusy"), media.Unavailable},
		{"an internal error", api(http.StatusInternalServerError, "InternalError"), media.Unavailable},
		{"a time-out", api(http.StatusInternalServerError, "OperationTimedOut"), media.Timeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t)
			s.write(t, "a.mp4", lesson)
			obj := s.stat(t, "a.mp4")
			c.fault.Match = comp(http.MethodGet, "")
			s.proxy.Set(c.fault)
			got, err := origintest.Read(t.Context(), s.Origin, obj, span)
			if !bytes.Equal(got, lesson[7:7+len(got)]) || (err == nil) != (c.want == media.Other) || media.KindOf(err) != c.want {
				t.Errorf("%d bytes, %v, want kind %v", len(got), err, c.want)
			}
			if err == nil && int64(len(got)) != span.Len {
				t.Errorf("%d bytes of %d without an error", len(got), span.Len)
			}
			c.fault.Times = 1
			s.proxy.Set(c.fault)
			hardened := origin.Harden(s.Origin, origin.Options{Provider: media.ProviderAzure})
			got, err = origintest.Read(t.Context(), hardened, obj, span)
			passing := c.want == media.Other || c.want.Passing()
			if passing && (err != nil || !bytes.Equal(got, lesson[7:7+span.Len])) || !passing && media.KindOf(err) != c.want {
				t.Errorf("hardened: %d bytes, %v", len(got), err)
			}
		})
	}
}

// api is an error answer as the service gives it.
func api(status int, code string, headers ...string) faultproxy.Fault {
	f := faultproxy.Fault{Status: status, Header: map[string]string{"X-Ms-Error-Code": code, "X-Ms-Request-Id": "1"}}
	for i := 0; i < len(headers); i += 2 {
		f.Header[headers[i]] = headers[i+1]
	}
	return f
}

// TestChangedWhileReading: a body holds bytes of one version, and the version that was
// replaced is not read any more.
func TestChangedWhileReading(t *testing.T) {
	next := bytes.Repeat([]byte("OTHER BYTES "), len(lesson)/12)[:len(lesson)]
	s := start(t)
	s.write(t, "a.mp4", lesson)
	obj := s.stat(t, "a.mp4")
	s.proxy.Set(faultproxy.Fault{Match: comp(http.MethodGet, ""), CutAfter: 100_000, At: func() { s.write(t, "a.mp4", next) }})
	got, err := origintest.Read(t.Context(), s.Origin, obj, obj.Span())
	if !bytes.Equal(got, lesson[:len(got)]) || err == nil && len(got) != len(lesson) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	s.proxy.Set()
	if got, err := origintest.Read(t.Context(), s.Origin, obj, media.Span{Len: 10}); media.KindOf(err) != media.Changed {
		t.Errorf("the old version gives %q, %v", got, err)
	}
	// A cache in front of the service drops the condition.
	s.proxy.Set(faultproxy.Fault{Match: comp(http.MethodGet, ""), Rewrite: func(r *http.Request) { r.Header.Del("If-Match") }})
	if got, err := origintest.Read(t.Context(), s.Origin, obj, media.Span{Len: 10}); media.KindOf(err) != media.Changed {
		t.Errorf("without a condition the old version gives %q, %v", got, err)
	}
	if now := s.stat(t, "a.mp4"); now.Version == obj.Version {
		t.Error("a new version with the old one's name")
	}
}

// TestStalled: a read that gets nothing more ends with its context.
func TestStalled(t *testing.T) {
	s := start(t)
	s.write(t, "a.mp4", lesson)
	obj := s.stat(t, "a.mp4")
	s.proxy.Set(faultproxy.Fault{Match: comp(http.MethodGet, ""), CutAfter: 50_000, Stall: true})
	ctx, cancel := context.WithCancel(t.Context())
	body, err := s.Origin.Open(ctx, obj, obj.Span())
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if _, err := io.CopyN(io.Discard, body, 50_000); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := body.Read(make([]byte, 1)); media.KindOf(err) != media.Canceled {
		t.Error(err)
	}
}
