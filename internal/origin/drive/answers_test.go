package drive

import (
	"log/slog"
	"testing"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/origintest"
)

// FuzzAnswers: whatever the API, or what is in front of it, answers, an object that is
// stated can be cached, exactly the requested bytes are read, and no error quotes a text.
func FuzzAnswers(f *testing.F) {
	describe := func(body string) []byte {
		return origintest.ErrorAnswer("200 OK", "application/json; charset=UTF-8", body)
	}
	for _, answer := range [][]byte{
		describe(`{"id":"lesson","name":"a.mp4","mimeType":"video/mp4","size":"10","md5Checksum":"CY9","sha256Checksum":"84D89877F0D4041EFB6BF91A16F0248F2FD573E6AF05C19F96BEDB9F882F7882","headRevisionId":"r1","modifiedTime":"2026-11-20T10:00:00.000Z","capabilities":{"canDownload":true}}`),
		describe(`{"mimeType":"application/vnd.google-apps.shortcut","shortcutDetails":{"targetId":"other","targetMimeType":"video/mp4","targetResourceKey":"0-k"}}`),
		describe(`{"size":"-1","headRevisionId":"r1"}`), describe(`{"size":"10","md5Checksum":"x","sha256Checksum":"zz","trashed":false}`),
		origintest.RawAnswer("206 Partial Content", []string{"Content-Type: video/mp4", "Content-Range: bytes 3-6/10"}, "3456"),
		origintest.RawAnswer("200 OK", []string{"Content-Type: text/html"}, "<html>"),
		origintest.ErrorAnswer("403 Forbidden", "application/json", `{"error":{"code":403,"message":"PRIVATE","errors":[{"reason":"downloadQuotaExceeded"}]}}`, "Retry-After: 99999999999999"),
		origintest.ErrorAnswer("404 Not Found", "application/json", `{"error":{"code":404,"status":"NOT_FOUND","details":[{"reason":"PRIVATE"}]}}`),
		origintest.ErrorAnswer("403 Forbidden", "text/html", `<html>PRIVATE</html>`),
	} {
		f.Add(answer)
	}
	o, err := New(f.Context(), Config{Credentials: "none", Endpoint: "http://127.0.0.1:1"}, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(o.Stop)
	var answer origintest.Answer
	o.transport.DialContext, o.transport.DisableKeepAlives = answer.DialContext, true
	f.Fuzz(func(t *testing.T, raw []byte) {
		answer = raw
		clear(o.unpinned)
		origintest.CheckAnswer(t, o, raw, media.Object{Provider: media.ProviderDrive, ID: "lesson", Version: "r1", Size: 10, Pinned: true})
	})
}
