package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/emulator"
)

// TestDigestOfADownload: a lesson is archived in a folder, which states no digests. A
// download in 16 connections is checked against what the syncer recorded: by the reader of
// Repr-Digest, and by aria2 itself, which asks for the older Digest. A file that was changed
// in the folder has none.
func TestDigestOfADownload(t *testing.T) {
	t.Parallel()
	s := newZoomFixture(t, "", 1)
	s.env = append(s.env, "LECTERN_SYNC_PROVIDER=local")
	const padding = 17 << 20 // aria2 opens a connection for each MiB at the most
	lesson := emulator.Concat(emulator.Bytes(mp4(t, 2)), emulator.Bytes([]byte{0x01, 0x10, 0x00, 0x00, 'f', 'r', 'e', 'e'}), emulator.Synthetic(padding-8, 1))
	s.record(0, lesson)
	command(t, s.env, 0, "syncer", "reconcile")
	g := serve(t, append(s.env, "LECTERN_LIMIT_STREAMS_PER_USER=16")...)
	access, address := token(t, "--user", "2"), g.url+"/schedule/api/recordings/1/stream/"
	head := digestOf(t, address, access)
	sum, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(strings.TrimPrefix(head, "sha-256=:"), ":"))
	if err != nil || len(sum) != sha256.Size {
		t.Fatalf("Repr-Digest is %q: %v", head, err)
	}
	for name, check := range map[string][]string{"given": {"--checksum=sha-256=" + hex.EncodeToString(sum)}, "asked for": nil} {
		dir := t.TempDir()
		aria2 := exec.Command("aria2c", append(check, "--no-conf=true", "--max-connection-per-server=16", "--split=16", "--min-split-size=1M", "--max-tries=1", "--dir="+dir, "--out=lesson.mp4",
			"--console-log-level=notice", "--summary-interval=0", "--header=Authorization: Bearer "+access, address)...)
		out, err := aria2.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Verification finished successfully") {
			t.Fatalf("aria2c, checksum %s: %v\n%s", name, err, out)
		}
		got, err := os.ReadFile(filepath.Join(dir, "lesson.mp4"))
		if whole := sha256.Sum256(got); err != nil || int64(len(got)) != lesson.Size() || !bytes.Equal(whole[:], sum) {
			t.Errorf("checksum %s: %d of %d bytes, %v", name, len(got), lesson.Size(), err)
		}
	}
	files, err := filepath.Glob(filepath.Join(s.dir, "recordings", "lessons", "*", "*.mp4"))
	if err != nil || len(files) != 1 {
		t.Fatalf("archived: %v, %v", files, err)
	}
	if err := os.WriteFile(files[0], mp4(t, 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := digestOf(t, address, access); got != "" {
		t.Errorf("a file that was changed has Repr-Digest %q", got)
	}
}

// digestOf is the Repr-Digest that HEAD of a stream states.
func digestOf(t *testing.T, address, access string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+access)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("HEAD: %s", res.Status)
	}
	return res.Header.Get("Repr-Digest")
}
