package azure

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/archive/archivetest"
	"github.com/lectiospace/lectern/internal/emulator/faultproxy"
	"github.com/lectiospace/lectern/internal/media"
)

var _ archive.UploadAborter = (*Archive)(nil)

// begin leaves an unfinished upload: its commit never comes to the service.
func (s *server) begin(t *testing.T, key string) archive.Item {
	t.Helper()
	item := archivetest.Item(t, key, 3<<20, 1)
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	s.proxy.Set(faultproxy.Fault{Status: http.StatusServiceUnavailable, Match: func(r *http.Request) bool {
		if comp(http.MethodPut, "blocklist")(r) {
			kill()
			return true
		}
		return false
	}})
	if _, err := s.Put(ctx, item); err == nil {
		t.Fatal("the upload was not interrupted")
	}
	s.proxy.Set()
	if _, left := s.blocks(t, key); len(left) != 3 {
		t.Fatalf("%d blocks are left", len(left))
	}
	return item
}

// nothingIn fails unless the container has neither blobs nor uncommitted blocks under keys.
func (s *server) nothingIn(t *testing.T, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if committed, left := s.blocks(t, key); len(committed)+len(left) != 0 {
			t.Errorf("%s: %d blocks, %d uncommitted", key, len(committed), len(left))
		}
		if _, err := s.describe(t.Context(), key); media.KindOf(err) != media.NotFound {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestAbortUpload(t *testing.T) {
	s := start(t)
	key := keyOf(t, s)
	item := s.begin(t, key)
	for range 2 { // one that is gone is no error
		if err := s.AbortUpload(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		s.nothingIn(t, key)
	}
	if stored, err := s.Put(t.Context(), item); err != nil || !stored.Same(item.Size, item.MD5) {
		t.Errorf("after it: %+v, %v", stored, err)
	}
	if err := s.AbortUpload(t.Context(), key); err != nil { // one that is complete is none either
		t.Error(err)
	}
	if stored, err := s.Archive.Stat(t.Context(), key); err != nil || !stored.Same(item.Size, item.MD5) {
		t.Errorf("a complete upload was aborted: %+v, %v", stored, err)
	}
	for _, session := range []string{"", "../x", "no such key"} {
		if err := s.AbortUpload(t.Context(), session); err != nil {
			t.Errorf("%q: %v", session, err)
		}
	}
}

// TestAbortIsKilled: an abort that ends between its two steps leaves an empty blob, which is
// no recording, and which the next one deletes or the next upload replaces.
func TestAbortIsKilled(t *testing.T) {
	for _, next := range []string{"abort", "stale", "put"} {
		s := start(t)
		s.retry.Tries = 1
		key := keyOf(t, s)
		item := s.begin(t, key)
		s.proxy.Set(faultproxy.Fault{Reset: true, Match: func(r *http.Request) bool { return r.Method == http.MethodDelete }})
		if err := s.AbortUpload(t.Context(), key); err == nil {
			t.Fatal("the abort was not interrupted")
		}
		s.proxy.Set()
		if _, err := s.Archive.Stat(t.Context(), key); media.KindOf(err) != media.NotFound {
			t.Errorf("stat: %v", err)
		}
		if _, err := s.Origin.Stat(t.Context(), media.Location{Key: key}); media.KindOf(err) != media.NotFound {
			t.Errorf("a viewer: %v", err)
		}
		if err := s.List(t.Context(), func(o archive.Stored) error { t.Errorf("listed: %+v", o); return nil }); err != nil {
			t.Error(err)
		}
		switch next {
		case "abort":
			if err := s.AbortUpload(t.Context(), key); err != nil {
				t.Error(err)
			}
			s.nothingIn(t, key)
		case "stale":
			if n, err := s.AbortStale(t.Context(), time.Now().Add(time.Hour)); n != 1 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
			s.nothingIn(t, key)
		case "put":
			if stored, err := s.Put(t.Context(), item); err != nil || !stored.Same(item.Size, item.MD5) {
				t.Errorf("put: %+v, %v", stored, err)
			}
		}
	}
}

// TestAbortLosesARace: an upload that is committed while it is aborted stays.
func TestAbortLosesARace(t *testing.T) {
	s := start(t)
	key := keyOf(t, s)
	s.begin(t, key)
	s.proxy.Set(faultproxy.Fault{Match: func(r *http.Request) bool {
		if comp(http.MethodPut, "blocklist")(r) {
			s.proxy.Set()
			s.write(t, key, lesson)
		}
		return false
	}})
	if err := s.AbortUpload(t.Context(), key); err != nil {
		t.Error(err)
	}
	if got := s.content(t, key); !slices.Equal(got, lesson) {
		t.Errorf("%d other bytes", len(got))
	}
}

// TestAbortStale: of the unfinished uploads below the prefix, those without progress are
// aborted; what is committed, what somebody else has begun, and what is outside stays.
func TestAbortStale(t *testing.T) {
	s := start(t, "prefix=school%2F")
	began := time.Now().Add(-26 * time.Hour)
	s.now = func() time.Time { return began }
	old := []string{keyOf(t, s), keyOf(t, s)}
	for _, key := range old {
		s.begin(t, key)
	}
	done := archivetest.Item(t, keyOf(t, s), 1000, 1)
	if _, err := s.Put(t.Context(), done); err != nil {
		t.Fatal(err)
	}
	s.now = time.Now
	fresh := keyOf(t, s)
	s.begin(t, fresh)
	s.write(t, "empty.mp4", nil)
	foreign, err := s.blockBlob("foreign.mp4")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := foreign.StageBlock(t.Context(), "AAAA", streaming.NopCloser(strings.NewReader("a block")), nil); err != nil {
		t.Fatal(err)
	}
	unprefixed, err := New(Config{URL: strings.Replace(s.cfg.URL, "prefix=school%2F&", "", 1), Credentials: s.cfg.Credentials})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(unprefixed.Stop)
	outside := &server{Archive: &Archive{Origin: unprefixed, block: s.block, retry: s.retry, now: func() time.Time { return began }}, proxy: s.proxy}
	outside.begin(t, "outside.mp4")

	n, err := s.AbortStale(t.Context(), time.Now().Add(-12*time.Hour))
	if n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	s.nothingIn(t, old...)
	for _, key := range []string{fresh, "foreign.mp4"} {
		if _, left := s.blocks(t, key); len(left) == 0 {
			t.Errorf("%s was aborted", key)
		}
	}
	if _, err := s.Archive.Stat(t.Context(), done.Key); err != nil {
		t.Error(err)
	}
	if got := s.content(t, "school/empty.mp4"); len(got) != 0 {
		t.Errorf("%d bytes", len(got))
	}
	if _, left := outside.blocks(t, "outside.mp4"); len(left) != 3 {
		t.Errorf("outside the prefix %d blocks are left", len(left))
	}
}
