package azure

import (
	"bytes"
	"net/http"
	"sync"
	"testing"

	"github.com/lectiospace/lectern/internal/emulator/faultproxy"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/origintest"
)

// versioned makes Azurite, which has no versions, look as if it had: a version is a snapshot
// of a blob, which is as immutable and is named by a time too.
type versioned struct {
	next http.Handler

	mu      sync.Mutex
	current string // the version id of the newest content
}

func (v *versioned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	id := v.current
	v.mu.Unlock()
	query := r.URL.Query()
	if asked := query.Get("versionid"); asked != "" {
		id = asked
		query.Del("versionid")
		query.Set("snapshot", id)
		r.URL.RawQuery = query.Encode()
		r.Header.Del("Authorization") // the signature was for the other query, and anybody may read
	}
	if r.Method != http.MethodPut && id != "" {
		w.Header().Set("X-Ms-Version-Id", id)
	}
	v.next.ServeHTTP(w, r)
}

// snapshot makes the present content of a blob the newest version.
func (v *versioned) snapshot(t *testing.T, s *server, key string) string {
	t.Helper()
	client, err := s.blob(key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := client.CreateSnapshot(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.current = *made.Snapshot
	return v.current
}

// TestVersions: in a container with versions a read names its version, which stays readable
// after the blob was replaced, and gets no other one.
func TestVersions(t *testing.T) {
	v := &versioned{}
	s := startBehind(t, func(next http.Handler) http.Handler { v.next = next; return v })
	const key = "group/урок 1 %41+&?#.mp4"
	next := bytes.Repeat([]byte("OTHER BYTES "), len(lesson)/12)[:len(lesson)]
	s.write(t, key, lesson)
	first := v.snapshot(t, s, key)
	origintest.Conformance(t, s.Origin, media.ProviderAzure, map[string][]byte{key: lesson})
	old := s.stat(t, key)
	if old.Version != first || !old.Pinned {
		t.Fatalf("%+v, want version %s", old, first)
	}
	s.proxy.Set(faultproxy.Fault{Match: comp(http.MethodGet, ""), CutAfter: 100_000, At: func() {
		s.write(t, key, next)
		v.snapshot(t, s, key)
	}})
	for range 2 { // while it is replaced, and afterwards
		if got, err := origintest.Read(t.Context(), s.Origin, old, old.Span()); err != nil || !bytes.Equal(got, lesson) {
			t.Errorf("the old version: %d bytes, %v", len(got), err)
		}
		s.proxy.Set()
	}
	now := s.stat(t, key)
	if got, err := origintest.Read(t.Context(), s.Origin, now, now.Span()); err != nil || !bytes.Equal(got, next) || now.Version == first {
		t.Errorf("the new version: %d bytes, %v", len(got), err)
	}
	for _, version := range []string{"2020-01-01T00:00:00.0000000Z", "yesterday", first + "x"} {
		gone := old
		gone.Version = version
		if got, err := origintest.Read(t.Context(), s.Origin, gone, media.Span{Len: 10}); media.KindOf(err) != media.Changed {
			t.Errorf("version %q: %q, %v", version, got, err)
		}
	}
	s.proxy.Set(faultproxy.Fault{SetHeader: map[string]string{"X-Ms-Version-Id": "2020-01-01T00:00:00.0000000Z"}})
	if got, err := origintest.Read(t.Context(), s.Origin, old, media.Span{Len: 10}); media.KindOf(err) != media.Changed {
		t.Errorf("the answer is of another version: %q, %v", got, err)
	}
}
