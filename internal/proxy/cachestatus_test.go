package proxy

import (
	"context"
	"fmt"
	"testing"

	"github.com/dunglas/httpsfv"

	"github.com/lectiospace/lectern/internal/media"
)

// forwardingReader is a reader that shares or stores what it requests.
type forwardingReader struct {
	memReader
	forwarding media.Forwarding
}

func (r *forwardingReader) Forwarding() media.Forwarding { return r.forwarding }

// TestCacheStatus: every cache status with everything that may have become of what was
// forwarded, read by a parser of structured fields (RFC 9651), and what is counted of it.
func TestCacheStatus(t *testing.T) {
	plain, stored, collapsed, both := media.Forwarding{}, media.Forwarding{Stored: true}, media.Forwarding{Collapsed: true}, media.Forwarding{Stored: true, Collapsed: true}
	for _, c := range []struct {
		status     media.CacheStatus
		forwarding media.Forwarding
		want       string // parameters, as fmt prints them in order
		head       string
	}{
		{media.CacheHit, plain, "[hit=true]", "[hit=true]"},
		{media.CacheMiss, plain, "[fwd=miss]", "[fwd=miss]"},
		{media.CacheMiss, stored, "[fwd=miss stored=true]", "[fwd=miss]"},
		{media.CacheMiss, collapsed, "[fwd=miss collapsed=true]", "[fwd=miss]"},
		{media.CacheMiss, both, "[fwd=miss stored=true collapsed=true]", "[fwd=miss]"},
		{media.CachePartial, plain, "[fwd=partial]", "[fwd=partial]"},
		{media.CachePartial, stored, "[fwd=partial stored=true]", "[fwd=partial]"},
		{media.CachePartial, collapsed, "[fwd=partial collapsed=true]", "[fwd=partial]"},
		{media.CachePartial, both, "[fwd=partial stored=true collapsed=true]", "[fwd=partial]"},
		{media.CacheBypass, plain, "[fwd=bypass]", "[fwd=bypass]"},
	} {
		name := fmt.Sprintf("%s %+v", c.status, c.forwarding)
		h := newFixture(t, 10, func(_ *Config, h *fixture) {
			h.open = func(context.Context, media.Object, media.Span) (media.Reader, error) {
				return &forwardingReader{memReader{data: h.content, status: c.status, from: media.SourceOrigin}, c.forwarding}, nil
			}
		})
		if got := cacheStatusParams(t, h.get()); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		h.line()
		for metric, labels := range map[string][]string{
			"lectern_stream_requests_total":     {"code", "200", "cache", c.status.String()},
			"lectern_stream_first_byte_seconds": {"cache", c.status.String()},
		} {
			if n := h.metric(metric, labels...); n != 1 {
				t.Errorf("%s: %s is %v", name, metric, n)
			}
		}
		if n := h.metric("lectern_stream_bytes_total", "source", "origin"); n != 10 {
			t.Errorf("%s: %v bytes counted", name, n)
		}
		if got := cacheStatusParams(t, h.do("HEAD", streamPath, "Authorization: Bearer "+goodToken)); got != c.head {
			t.Errorf("HEAD, %s: %s, want %s", name, got, c.head)
		}
		h.line()
	}
}

// cacheStatusParams are the parameters of the one cache that an answer names.
func cacheStatusParams(t *testing.T, a testResponse) string {
	t.Helper()
	list, err := httpsfv.UnmarshalList(a.Header.Values("Cache-Status"))
	if err != nil || len(list) != 1 {
		t.Fatalf("Cache-Status %q: %v, %v", a.Header.Values("Cache-Status"), list, err)
	}
	item, ok := list[0].(httpsfv.Item)
	if !ok || item.Value != httpsfv.Token("lectern") {
		t.Fatalf("Cache-Status names %v", list[0])
	}
	var params []string
	for _, name := range item.Params.Names() {
		value, _ := item.Params.Get(name)
		params = append(params, fmt.Sprintf("%s=%v", name, value))
	}
	return fmt.Sprint(params)
}
