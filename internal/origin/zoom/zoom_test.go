package zoom_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lectiospace/lectern/internal/emulator"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/origintest"
	atzoom "github.com/lectiospace/lectern/internal/origin/zoom"
	"github.com/lectiospace/lectern/internal/zoom"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	lesson  = bytes.Repeat([]byte("a lesson's bytes, "), 20_000)
	account = zoom.Account{ID: "acc", ClientID: "client", ClientSecret: "secret"}
)

// staff are the accounts of teachers; err is what the catalog says instead.
type staff struct {
	accounts map[int64]zoom.Account
	err      error
}

func (s *staff) ZoomAccount(_ context.Context, teacher int64) (zoom.Account, error) {
	if s.err != nil {
		return zoom.Account{}, s.err
	}
	a, ok := s.accounts[teacher]
	if !ok {
		return a, media.Fault(media.NotFound, "staff", nil)
	}
	return a, nil
}

type setup struct {
	server *zoomemu.Server
	staff  *staff
	origin *atzoom.Origin
	link   string
}

// start has one lesson at an emulated Zoom; hosts are those a token may go to.
func start(t *testing.T, hosts ...string) *setup {
	t.Helper()
	s := &setup{server: zoomemu.New(), staff: &staff{accounts: map[int64]zoom.Account{
		7: {ID: " acc ", ClientID: "client", ClientSecret: "secret"}, 8: {ID: "acc"}, 9: {ID: "acc", ClientID: "client", ClientSecret: "wrong"},
	}}}
	if err := s.server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.server.Stop)
	s.server.AddAccount(zoomemu.Account{ID: "acc", ClientID: "client", ClientSecret: "secret", Owner: "owner"})
	at := time.Now().Add(-time.Hour)
	s.server.AddMeeting(zoomemu.Meeting{Account: "acc", ID: 123, UUID: "/uuid==", Host: "owner", Start: at, Minutes: 50, Files: []zoomemu.File{
		{ID: "one", Type: "MP4", View: "shared_screen", Start: at, End: at.Add(time.Minute), Content: emulator.Bytes(lesson)},
	}})
	config := zoom.Config{APIURL: s.server.APIURL(), FetchConfig: zoom.FetchConfig{OAuthURL: s.server.OAuthURL(), DownloadHosts: hosts}}
	client := zoom.NewClient(config, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { client.Close() })
	m, err := client.Recordings(t.Context(), account, "/uuid==")
	if err != nil {
		t.Fatal(err)
	}
	s.link = m.Files[0].DownloadURL
	s.origin = atzoom.New(s.staff, client)
	return s
}

func TestConformance(t *testing.T) {
	for name, faults := range map[string]zoomemu.Faults{"ranges": {}, "no ranges": {NoRange: true}, "no redirect": {NoRedirect: true}} {
		t.Run(name, func(t *testing.T) {
			s := start(t, "127.0.0.1")
			s.server.SetFaults(faults)
			origintest.Conformance(t, s.origin, media.ProviderZoom, map[string][]byte{media.AtZoom(7, s.link).Key: lesson})
			if st := s.server.Stats(); st.Leaked != 0 {
				t.Errorf("%d tokens went along a redirect", st.Leaked)
			}
		})
	}
}

// TestARangeIsBounded: what is not asked for does not cross the network.
func TestARangeIsBounded(t *testing.T) {
	s := start(t, "127.0.0.1")
	obj, err := s.origin.Stat(t.Context(), media.AtZoom(7, s.link))
	if err != nil {
		t.Fatal(err)
	}
	if obj.ContentType != "video/mp4" || obj.Size != int64(len(lesson)) {
		t.Errorf("%+v", obj)
	}
	before := s.server.Stats().Bytes
	if _, err := origintest.Read(t.Context(), s.origin, obj, media.Span{Off: 1000, Len: 500}); err != nil {
		t.Fatal(err)
	}
	if sent := s.server.Stats().Bytes - before; sent != 500 {
		t.Errorf("%d bytes were sent for 500", sent)
	}
}

// TestAnExpiredTokenIsReplaced: Zoom may refuse a token before it expires.
func TestAnExpiredTokenIsReplaced(t *testing.T) {
	s := start(t, "127.0.0.1")
	s.server.SetFaults(zoomemu.Faults{Download401: 1})
	if _, err := s.origin.Stat(t.Context(), media.AtZoom(7, s.link)); err != nil {
		t.Error(err)
	}
	s.server.SetFaults(zoomemu.Faults{Download401: 10})
	if _, err := s.origin.Stat(t.Context(), media.AtZoom(7, s.link)); media.KindOf(err) != media.Denied || zoom.ReasonOf(err) != zoom.ReasonExpiredToken {
		t.Errorf("%v", err)
	}
}

func TestRefusals(t *testing.T) {
	s := start(t, "127.0.0.1")
	for _, c := range []struct {
		name string
		loc  media.Location
		want media.Kind
	}{
		{"no link", media.AtZoom(7, ""), media.NotFound},
		{"no teacher", media.AtZoom(0, s.link), media.NotFound},
		{"unknown teacher", media.AtZoom(1, s.link), media.Denied},
		{"credentials missing", media.AtZoom(8, s.link), media.Denied},
		{"wrong credentials", media.AtZoom(9, s.link), media.Denied},
		{"not there any more", media.AtZoom(7, s.link+"x"), media.Corrupt}, // a page with status 200
		{"another host", media.AtZoom(7, "https://files.example/one"), media.Denied},
	} {
		if obj, err := s.origin.Stat(t.Context(), c.loc); media.KindOf(err) != c.want {
			t.Errorf("%s: %+v, %v", c.name, obj, err)
		}
	}
	s.server.SetFaults(zoomemu.Faults{DownloadPage: 1})
	if _, err := s.origin.Stat(t.Context(), media.AtZoom(7, s.link)); media.KindOf(err) != media.Corrupt || zoom.ReasonOf(err) != zoom.ReasonPage {
		t.Errorf("a page: %v", err)
	}
}

// TestNoTokenForOtherHosts: a link to a host that is not listed is not requested.
func TestNoTokenForOtherHosts(t *testing.T) {
	s := start(t, ".zoom.us")
	before := s.server.Stats()
	_, err := s.origin.Stat(t.Context(), media.AtZoom(7, s.link))
	if zoom.ReasonOf(err) != zoom.ReasonHost || s.server.Stats().Downloads != before.Downloads {
		t.Errorf("%v, %+v", err, s.server.Stats())
	}
}

// TestPlaysOnWithoutTheCatalog: credentials that were read are used while the catalog is
// unavailable.
func TestPlaysOnWithoutTheCatalog(t *testing.T) {
	s := start(t, "127.0.0.1")
	s.staff.err = media.Fault(media.Unavailable, "staff", errors.New("away"))
	if _, err := s.origin.Stat(t.Context(), media.AtZoom(7, s.link)); media.KindOf(err) != media.Unavailable {
		t.Errorf("never read: %v", err)
	}
	s.staff.err = nil
	obj, err := s.origin.Stat(t.Context(), media.AtZoom(7, s.link))
	if err != nil {
		t.Fatal(err)
	}
	s.staff.err = media.Fault(media.Timeout, "staff", errors.New("away"))
	body, err := s.origin.Open(t.Context(), obj, media.Span{Off: 3, Len: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, lesson[3:7]) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestTruncatedBody: fewer bytes than Content-Length are an error, not an end.
func TestTruncatedBody(t *testing.T) {
	s := start(t, "127.0.0.1")
	obj, err := s.origin.Stat(t.Context(), media.AtZoom(7, s.link))
	if err != nil {
		t.Fatal(err)
	}
	s.server.SetFaults(zoomemu.Faults{DownloadCut: 1})
	if got, err := origintest.Read(t.Context(), s.origin, obj, obj.Span()); err == nil || media.KindOf(err) == media.Other {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
