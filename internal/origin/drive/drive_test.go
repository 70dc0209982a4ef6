package drive_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/lectiospace/lectern/internal/emulator"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/drive"
	"github.com/lectiospace/lectern/internal/origin/origintest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var lesson = bytes.Repeat([]byte("a lesson's bytes, "), 20_000)

type setup struct {
	emulator *driveemu.Server
	url      string
	origin   *drive.Origin
	logs     *bytes.Buffer
}

func start(t *testing.T) *setup {
	t.Helper()
	s := &setup{emulator: driveemu.New(), logs: &bytes.Buffer{}}
	server := httptest.NewServer(s.emulator)
	t.Cleanup(server.Close)
	s.url = server.URL
	s.origin = connect(t, drive.Config{Credentials: "none", Endpoint: server.URL})
	s.emulator.Put(driveemu.File{ID: "lesson", Name: "lesson.mp4", MimeType: "video/mp4", Content: emulator.Bytes(lesson)})
	return s
}

func connect(t *testing.T, cfg drive.Config) *drive.Origin {
	t.Helper()
	o, err := drive.New(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	o.Start(t.Context())
	t.Cleanup(o.Stop)
	return o
}

func (s *setup) stat(t *testing.T, key string) (media.Object, error) {
	t.Helper()
	return s.origin.Stat(t.Context(), media.Location{Provider: media.ProviderDrive, Key: key})
}

func TestConformance(t *testing.T) {
	for _, revisions := range []bool{true, false} {
		t.Run(fmt.Sprintf("revisions=%v", revisions), func(t *testing.T) {
			s := start(t)
			s.emulator.Put(driveemu.File{ID: "empty", Name: "empty.mp4", MimeType: "video/mp4", Content: emulator.Bytes(nil)})
			s.emulator.SetDefaults(driveemu.Faults{NoRevisions: !revisions})
			origintest.Conformance(t, s.origin, media.ProviderDrive, map[string][]byte{"lesson": lesson, "empty": {}})
			if st := s.emulator.Stats(); st.OpenEnded != 0 {
				t.Errorf("%d ranges without an end, which bill the whole file", st.OpenEnded)
			}
		})
	}
}

func TestEndpointWithAndWithoutSlash(t *testing.T) {
	s := start(t)
	for _, endpoint := range []string{s.url, s.url + "/", s.url + "/drive/v3", s.url + "/drive/v3/"} {
		o := connect(t, drive.Config{Credentials: "none", Endpoint: endpoint})
		if _, err := o.Stat(t.Context(), media.Location{Key: "lesson"}); err != nil {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

func TestNoRecording(t *testing.T) {
	s := start(t)
	for _, c := range []struct {
		file driveemu.File
		want media.Kind
	}{
		{driveemu.File{ID: "trashed", Trashed: true}, media.NotFound},
		{driveemu.File{ID: "locked", NoDownload: true}, media.Denied},
		{driveemu.File{ID: "doc", MimeType: "application/vnd.google-apps.document"}, media.Invalid},
	} {
		c.file.Content = emulator.Bytes(lesson)
		s.emulator.Put(c.file)
		if _, err := s.stat(t, c.file.ID); media.KindOf(err) != c.want {
			t.Errorf("%s: %v, want %v", c.file.ID, err, c.want)
		}
	}
	for _, key := range []string{"", "../about", "a/b", "x?alt=media", strings.Repeat("x", 300)} {
		if _, err := s.stat(t, key); media.KindOf(err) != media.NotFound {
			t.Errorf("%q: %v", key, err)
		}
	}
	s.emulator.Put(driveemu.File{ID: "shared", MimeType: "video/mp4", Content: emulator.Bytes(lesson), SharedDrive: true})
	s.emulator.Put(driveemu.File{ID: "shortcut", ShortcutTo: "shared"})
	for _, key := range []string{"shared", "shortcut"} {
		obj, err := s.stat(t, key)
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		if got, err := origintest.Read(t.Context(), s.origin, obj, media.Span{Off: 5, Len: 10}); err != nil || string(got) != string(lesson[5:15]) {
			t.Errorf("%s: %q, %v", key, got, err)
		}
	}
}

// TestReasons: a status of 403 means nothing without its reason.
func TestReasons(t *testing.T) {
	for _, c := range []struct {
		status int
		reason string
		want   media.Kind
	}{
		{400, "badRequest", media.Invalid}, {401, "authError", media.Unavailable},
		{403, "userRateLimitExceeded", media.Unavailable}, {403, "rateLimitExceeded", media.Unavailable},
		{403, "dailyLimitExceeded", media.Quota}, {403, "quotaExceeded", media.Quota}, {403, "downloadQuotaExceeded", media.Quota},
		{403, "cannotDownloadAbusiveFile", media.Denied}, {403, "cannotDownloadFile", media.Denied}, {403, "domainPolicy", media.Denied},
		{403, "insufficientFilePermissions", media.Denied}, {403, "appNotAuthorizedToFile", media.Denied},
		{404, "notFound", media.NotFound}, {416, "requestedRangeNotSatisfiable", media.Changed},
		{429, "rateLimitExceeded", media.Unavailable}, {500, "backendError", media.Unavailable}, {503, "backendError", media.Unavailable},
	} {
		s := start(t)
		obj, err := s.stat(t, "lesson")
		if err != nil {
			t.Fatal(err)
		}
		s.emulator.SetDefaults(driveemu.Faults{Status: c.status, Reason: c.reason, NoMetadata: true})
		if _, err := s.origin.Open(t.Context(), obj, media.Span{Len: 10}); media.KindOf(err) != c.want {
			t.Errorf("read, %d %s: %v, want %v", c.status, c.reason, err, c.want)
		}
		if _, err := s.stat(t, "lesson"); media.KindOf(err) != c.want {
			t.Errorf("stat, %d %s: %v, want %v", c.status, c.reason, err, c.want)
		}
	}
}

// TestWrongAnswers: a response that is not exactly the requested range is an error.
func TestWrongAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		fault driveemu.Faults
		want  media.Kind
	}{
		"a page":      {driveemu.Faults{HTML: true}, media.Corrupt},
		"the whole":   {driveemu.Faults{Whole: true}, media.Corrupt},
		"wrong range": {driveemu.Faults{WrongRange: true}, media.Corrupt},
		"short":       {driveemu.Faults{ShortBy: 100}, media.Corrupt},
		"reset":       {driveemu.Faults{ResetAfter: 32 << 10}, media.Corrupt},
	} {
		s := start(t)
		obj, err := s.stat(t, "lesson")
		if err != nil {
			t.Fatal(err)
		}
		s.emulator.SetDefaults(c.fault)
		got, err := origintest.Read(t.Context(), s.origin, obj, media.Span{Off: 7, Len: 200_000})
		if kind := media.KindOf(err); kind != c.want && kind != media.Unavailable || err == nil || !bytes.Equal(got, lesson[7:7+len(got)]) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

// TestNewHeadWhileReading: a body never holds bytes of two revisions, whether revisions may
// be read or not.
func TestNewHeadWhileReading(t *testing.T) {
	next := bytes.Repeat([]byte("OTHER BYTES"), len(lesson)/11+1)[:len(lesson)]
	for _, revisions := range []bool{true, false} {
		s := start(t)
		s.emulator.SetDefaults(driveemu.Faults{NoRevisions: !revisions})
		obj, err := s.stat(t, "lesson")
		if err != nil {
			t.Fatal(err)
		}
		body, err := s.origin.Open(t.Context(), obj, obj.Span())
		if err != nil {
			t.Fatal(err)
		}
		first := make([]byte, 1000)
		if _, err := io.ReadFull(body, first); err != nil {
			t.Fatal(err)
		}
		s.emulator.Put(driveemu.File{ID: "lesson", MimeType: "video/mp4", Content: emulator.Bytes(next)})
		rest, err := io.ReadAll(body)
		body.Close()
		got := append(first, rest...)
		if !bytes.Equal(got, lesson[:len(got)]) {
			t.Errorf("revisions %v: bytes of two revisions in one body", revisions)
		}
		if revisions && (err != nil || len(got) != len(lesson)) {
			t.Errorf("a pinned read was disturbed: %d bytes, %v", len(got), err)
		}
		if !revisions && media.KindOf(err) != media.Changed {
			t.Errorf("an unpinned read ended with %v", err)
		}
		after, err := origintest.Read(t.Context(), s.origin, obj, media.Span{Len: 10})
		if revisions && string(after) != string(lesson[:10]) || !revisions && media.KindOf(err) != media.Changed {
			t.Errorf("revisions %v: the old object gives %q, %v", revisions, after, err)
		}
		if now, err := s.stat(t, "lesson"); err != nil || now.Version == obj.Version || now.ETag() == obj.ETag() {
			t.Errorf("the new head: %+v, %v", now, err)
		}
	}
}

// tokenServer issues numbered tokens to a service account.
func tokenServer(t *testing.T) (credentials string, issued *atomic.Int64) {
	t.Helper()
	issued = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token": "token-%d", "token_type": "Bearer", "expires_in": 3600}`, issued.Add(1))
	}))
	t.Cleanup(server.Close)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, _ := x509.MarshalPKCS8PrivateKey(key)
	data, _ := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "lectern@test.example", "token_uri": server.URL,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})), "private_key_id": "1", "project_id": "test",
	})
	return string(data), issued
}

// TestTokensWithoutStart: a request before Start fetches its token itself, and Stop may be
// called twice and without Start.
func TestTokensWithoutStart(t *testing.T) {
	credentials, issued := tokenServer(t)
	fake := driveemu.New()
	fake.Put(driveemu.File{ID: "lesson", MimeType: "video/mp4", Content: emulator.Bytes(lesson)})
	refused := "Bearer token-1"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == refused {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fake.ServeHTTP(w, r)
	}))
	defer server.Close()
	o, err := drive.New(t.Context(), drive.Config{Credentials: credentials, Endpoint: server.URL}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := o.Stat(t.Context(), media.Location{Key: "lesson"}); err != nil || issued.Load() != 2 {
			t.Fatalf("%v with %d tokens, want the second, which is not refused", err, issued.Load())
		}
	}
	o.Stop()
	o.Stop()
}

// TestTokens: requests carry a token, one that is refused is renewed, and the
// credentials may be text or a file.
func TestTokens(t *testing.T) {
	credentials, issued := tokenServer(t)
	fake := driveemu.New()
	fake.Put(driveemu.File{ID: "lesson", MimeType: "video/mp4", Content: emulator.Bytes(lesson)})
	var good atomic.Value
	good.Store("Bearer token-1")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			t.Errorf("asked over %s", r.Proto)
		}
		if r.Header.Get("Authorization") != good.Load() {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error": {"code": 401, "message": "Invalid Credentials", "errors": [{"reason": "authError"}]}}`)
			return
		}
		fake.ServeHTTP(w, r)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "sa.json")
	if err := os.WriteFile(file, []byte(credentials), 0o600); err != nil {
		t.Fatal(err)
	}
	o := connect(t, drive.Config{Credentials: file, Endpoint: server.URL})
	obj, err := o.Stat(t.Context(), media.Location{Key: "lesson"})
	if err != nil || issued.Load() != 1 {
		t.Fatalf("%v with %d tokens", err, issued.Load())
	}
	good.Store("Bearer token-2") // the first is revoked
	if got, err := origintest.Read(t.Context(), o, obj, media.Span{Len: 5}); err != nil || len(got) != 5 || issued.Load() != 2 {
		t.Errorf("after the revocation: %q, %v, %d tokens", got, err, issued.Load())
	}
	good.Store("none at all")
	if _, err := o.Stat(t.Context(), media.Location{Key: "lesson"}); media.KindOf(err) != media.Unavailable || strings.Contains(err.Error(), "token-") {
		t.Errorf("with credentials that are refused: %v", err)
	}
}

// TestSetCredentials: new credentials are used from now on; until their first token has
// come the old one is, and credentials that cannot be used change nothing.
func TestSetCredentials(t *testing.T) {
	credentials, _ := tokenServer(t)
	others, issued := tokenServer(t)
	fake := driveemu.New()
	fake.Put(driveemu.File{ID: "lesson", MimeType: "video/mp4", Content: emulator.Bytes(lesson)})
	server := httptest.NewServer(fake)
	defer server.Close()
	o := connect(t, drive.Config{Credentials: credentials, Endpoint: server.URL})
	o.Start(t.Context())
	stat := func() {
		t.Helper()
		if _, err := o.Stat(t.Context(), media.Location{Key: "lesson"}); err != nil {
			t.Error(err)
		}
	}
	stat()
	for _, bad := range []string{"none", "", "/nowhere/sa.json", `{"type": "external_account"}`} {
		if err := o.SetCredentials(drive.Config{Credentials: bad}); err == nil || !strings.HasPrefix(err.Error(), "origin-drive-credentials: ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	stat()
	if issued.Load() != 0 {
		t.Error("a token of credentials that were not set yet")
	}
	if err := o.SetCredentials(drive.Config{Credentials: others}); err != nil {
		t.Fatal(err)
	}
	for issued.Load() == 0 && t.Context().Err() == nil {
		stat()
	}
	anonymous := connect(t, drive.Config{Credentials: "none", Endpoint: server.URL})
	if err := anonymous.SetCredentials(drive.Config{Credentials: "none"}); err != nil {
		t.Error(err)
	}
	if err := anonymous.SetCredentials(drive.Config{Credentials: credentials}); err == nil {
		t.Error("authentication was turned on while running")
	}
}

func TestInvalidCredentials(t *testing.T) {
	for _, bad := range []string{"/nowhere/sa.json", `{"type": "service_account", "private_key": "hidden-key"}`, `{"type": "external_account"}`, "{"} {
		o, err := drive.New(t.Context(), drive.Config{Credentials: bad, Endpoint: "http://127.0.0.1:1"}, slog.New(slog.DiscardHandler))
		if err == nil { // the key is read only when a token is asked for
			_, err = o.Stat(t.Context(), media.Location{Key: "lesson"})
			o.Stop()
			if media.KindOf(err) != media.Unavailable || strings.Contains(err.Error(), "hidden-key") {
				t.Errorf("%q: %v", bad, err)
			}
			continue
		}
		if !strings.Contains(err.Error(), "origin-drive-credentials") || strings.Contains(err.Error(), "hidden-key") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	o := connect(t, drive.Config{Credentials: "none", Endpoint: "http://127.0.0.1:1"})
	if _, err := o.Stat(t.Context(), media.Location{Key: "lesson"}); media.KindOf(err) != media.Unavailable {
		t.Error(err)
	}
}
