package ingest_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/emulator/azurite"
	"github.com/lectiospace/lectern/internal/emulator/faultproxy"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/azure"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// block is the size of a block in bytes.
const block = 1 << 20

// onAzure archives into a container of Azurite, through the proxy.
func onAzure(t *testing.T) (syncertest.Option, *faultproxy.Proxy) {
	t.Helper()
	target, err := url.Parse(azurite.Endpoint(t))
	if err != nil {
		t.Fatal(err)
	}
	proxy := faultproxy.New(target.Scheme + "://" + target.Host)
	server := httptest.NewServer(proxy)
	t.Cleanup(func() { server.Close(); proxy.Close() })
	o, err := azure.New(azure.Config{
		URL:         "azblob://" + azurite.Container(t) + "?prefix=school%2F&endpoint=" + url.QueryEscape(server.URL+target.Path),
		Credentials: azurite.Key,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Stop)
	a := azure.NewArchive(o)
	a.SetBlockSize(block)
	return syncertest.WithArchive(func(archive.Archive) archive.Archive { return a }), proxy
}

// TestUploadToAzureIsResumed: a syncer that ends in the middle of an upload leaves blocks
// that the next one does not send again.
func TestUploadToAzureIsResumed(t *testing.T) {
	onAzure, proxy := onAzure(t)
	s := syncertest.New(t, onAzure, syncertest.Configured(func(c *syncer.Config) { c.ShutdownGrace = 50 * time.Millisecond })).Start()
	const admittedBlocks = 3
	m := s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	m.Files = []zoomemu.File{{ID: "file-1", Type: "MP4", View: syncertest.SpeakerView, Start: syncertest.LessonStart, End: syncertest.LessonStart.Add(time.Hour), Content: syncertest.Noise(t)}}
	s.Zoom.AddMeeting(m)
	held, release := make(chan struct{}, 100), make(chan struct{})
	admitted := make(chan struct{}, admittedBlocks)
	proxy.Set(faultproxy.Fault{Reset: true, Match: func(r *http.Request) bool {
		if r.Method != http.MethodPut || r.URL.Query().Get("comp") != "block" {
			return false
		}
		select {
		case admitted <- struct{}{}:
			return false
		default:
			held <- struct{}{}
			<-release
			return true
		}
	}})
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	syncertest.Eventually(t, "the first blocks are sent", func() (bool, string) {
		sent := proxy.Received()
		return sent >= admittedBlocks*block && len(held) > 0, fmt.Sprint(sent, " bytes")
	})
	s.Syncer.Stop()
	close(release)
	if sent := proxy.Count(http.MethodPut, "comp", "block"); sent != admittedBlocks {
		t.Fatalf("%d blocks were sent before the end, want %d", sent, admittedBlocks)
	}
	proxy.Set()
	s.Restart()
	r := s.Archived(1)
	blocks := int((r.Size + block - 1) / block)
	// A block whose answer was cut off may have to be sent again.
	if sent := proxy.Count(http.MethodPut, "comp", "block") - admittedBlocks; blocks <= admittedBlocks || sent < blocks-admittedBlocks || sent >= blocks {
		t.Errorf("%d blocks were sent after it, want the others of %d", sent, blocks)
	}
	sum := md5.Sum(s.BytesOf(r))
	if want := s.Ingest(1).MD5; r.Provider != media.ProviderAzure || hex.EncodeToString(sum[:]) != want {
		t.Errorf("archived with MD5 %x, want %s: %+v", sum, want, r)
	}
	if keys := s.Keys(); len(keys) != 1 || keys[0] != r.ArchiveKey {
		t.Errorf("the container holds %v", keys)
	}
}
