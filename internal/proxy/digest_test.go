package proxy

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"testing"

	"github.com/lectiospace/lectern/internal/media"
)

// TestReprDigest: the digest is that of the whole, in every answer that carries bytes or
// stands for one that does, and never that of another version.
func TestReprDigest(t *testing.T) {
	var digest media.ArchivedDigest
	h := newFixture(t, 1000, func(_ *Config, h *fixture) {
		authorize := h.authorize
		h.authorize = func(ctx context.Context, v media.Viewer, id int64) (media.Recording, error) {
			r, err := authorize(ctx, v, id)
			r.Digest = digest
			return r, err
		}
	})
	sum := sha256.Sum256(h.content)
	text := base64.StdEncoding.EncodeToString(sum[:])
	repr, old := "sha-256=:"+text+":", "SHA-256="+text
	archived := media.ArchivedDigest{Location: h.obj.Location(), Version: h.obj.Version, Size: h.obj.Size, SHA256: hex.EncodeToString(sum[:])}
	replaced := archived
	replaced.Version = "0"
	for _, c := range []struct {
		name       string
		method     string
		headers    []string
		archived   media.ArchivedDigest
		stated     string // by the origin
		status     int
		repr, back string
	}{
		{"whole", "GET", nil, archived, "", 200, repr, ""},
		{"a part", "GET", []string{"Range: bytes=10-19"}, archived, "", 206, repr, ""},
		{"several parts", "GET", []string{"Range: bytes=10-19,40-49"}, archived, "", 206, repr, ""},
		{"HEAD", "HEAD", nil, archived, "", 200, repr, ""},
		{"stated by the origin", "GET", nil, media.ArchivedDigest{}, hex.EncodeToString(sum[:]), 200, repr, ""},
		{"unknown", "GET", nil, media.ArchivedDigest{}, "", 200, "", ""},
		{"of what was replaced", "GET", nil, replaced, "", 200, "", ""},
		{"not modified", "GET", []string{"If-None-Match: " + h.obj.ETag()}, archived, "", 304, "", ""},
		{"a failed precondition", "GET", []string{`If-Match: "other"`}, archived, "", 412, "", ""},
		{"beyond the end", "GET", []string{"Range: bytes=1000-"}, archived, "", 416, "", ""},
		{"wanted", "GET", []string{"Want-Repr-Digest: sha-512=3, sha-256=10"}, archived, "", 200, repr, ""},
		{"another wanted: it is a hint", "GET", []string{"Want-Repr-Digest: sha-512=3"}, archived, "", 200, repr, ""},
		{"not wanted", "GET", []string{"Want-Repr-Digest: sha-512=3, sha-256=0"}, archived, "", 200, "", ""},
		{"wanted after all", "GET", []string{"Want-Repr-Digest: sha-256=0", "Want-Repr-Digest: sha-256=1"}, archived, "", 200, repr, ""},
		{"no dictionary", "GET", []string{"Want-Repr-Digest: ;;=,,"}, archived, "", 200, repr, ""},
		{"as aria2 asks", "GET", []string{"Want-Digest: SHA-512;q=1, SHA-256;q=1, SHA;q=0.1"}, archived, "", 200, repr, old},
		{"the older field not wanted", "GET", []string{"Want-Digest: SHA-256;q=0.0"}, archived, "", 200, repr, ""},
		{"the older field of what is unknown", "GET", []string{"Want-Digest: SHA-256"}, media.ArchivedDigest{}, "", 200, "", ""},
	} {
		digest, h.obj.SHA256 = c.archived, c.stated
		a := h.do(c.method, streamPath, append(c.headers, "Authorization: Bearer "+goodToken)...)
		if a.StatusCode != c.status || a.Header.Get("Repr-Digest") != c.repr || a.Header.Get("Digest") != c.back {
			t.Errorf("%s: %d, Repr-Digest %q, Digest %q", c.name, a.StatusCode, a.Header.Get("Repr-Digest"), a.Header.Get("Digest"))
		}
	}
}
