package azure

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/archive/archivetest"
	"github.com/lectiospace/lectern/internal/emulator/faultproxy"
	"github.com/lectiospace/lectern/internal/media"
)

// content reads a blob as anybody may, past the archive.
func (s *server) content(t *testing.T, key string) []byte {
	t.Helper()
	resp, err := http.Get(s.url + "/" + key)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	data, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", key, resp.Status, err)
	}
	return data
}

func TestArchive(t *testing.T) {
	archivetest.Conformance(t, func(t *testing.T) (archive.Archive, func(string) []byte) {
		s := start(t)
		return s, func(key string) []byte { return s.content(t, key) }
	})
}

// blocks are the committed and the uncommitted blocks of a key; none where there is no blob.
func (s *server) blocks(t *testing.T, key string) (committed, uncommitted []*blockblob.Block) {
	t.Helper()
	client, err := s.blockBlob(key)
	if err != nil {
		t.Fatal(err)
	}
	list, err := client.GetBlockList(t.Context(), blockblob.BlockListTypeAll, nil)
	if err != nil && media.KindOf(fault("", err)) != media.NotFound {
		t.Fatal(err)
	}
	return list.CommittedBlocks, list.UncommittedBlocks
}

// TestStoredBlob: what is stored has the MD5, the name and the type that other programs look
// for, in blocks of the wanted size.
func TestStoredBlob(t *testing.T) {
	s := start(t, "prefix=school%2F")
	item := archivetest.Item(t, keyOf(t, s), 5<<19, 3)
	item.Name, item.Properties = "2026-02-01 Урок.mp4", map[string]string{"lesson": "7", "zoomUuid": "a/b+c=="}
	if _, err := s.Put(t.Context(), item); err != nil {
		t.Fatal(err)
	}
	client, _ := s.blob(item.Key)
	props, err := client.GetProperties(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if hex.EncodeToString(props.ContentMD5) != item.MD5 || *props.ContentType != "video/mp4" || !strings.Contains(*props.ContentDisposition, "filename*=utf-8''2026-02-01%20%D0%A3") {
		t.Errorf("%x, %s, %s", props.ContentMD5, *props.ContentType, *props.ContentDisposition)
	}
	if got := metadataValue(props.Metadata, propertyPrefix+"zoomUuid"); got != "a/b+c==" {
		t.Errorf("property %q", got)
	}
	committed, _ := s.blocks(t, item.Key)
	if len(committed) != 3 || *committed[0].Size != 1<<20 || *committed[2].Size != 1<<19 {
		t.Errorf("blocks %v", committed)
	}
	if data := s.content(t, "school/"+item.Key); len(data) != 5<<19 {
		t.Errorf("%d bytes below the prefix", len(data))
	}
}

// TestUploadSurvives: whatever goes wrong, the blob is there in the end with the right bytes.
func TestUploadSurvives(t *testing.T) {
	block, list := comp(http.MethodPut, "block"), comp(http.MethodPut, "blocklist")
	lost := faultproxy.Fault{Match: block, Times: 1, Status: http.StatusCreated, Header: map[string]string{"X-Ms-Request-Id": "1"}}
	for _, c := range []struct {
		name   string
		faults []faultproxy.Fault
	}{
		{"nothing", nil},
		{"busy", []faultproxy.Fault{times(3, block, api(http.StatusServiceUnavailable, "ServerBusy"))}},
		{"an internal error in the middle", []faultproxy.Fault{times(2, block, api(http.StatusInternalServerError, "InternalError"))}},
		{"connections break", []faultproxy.Fault{{Match: block, Times: 2, Reset: true}}},
		{"the answer to a block is lost", []faultproxy.Fault{{Match: block, Times: 1, Forward: true, Reset: true}}},
		{"a block is lost", []faultproxy.Fault{lost}},
		{"a block arrives damaged", []faultproxy.Fault{{Match: block, Times: 1, DamageRequest: true, AnswerStatus: http.StatusBadRequest, SetHeader: map[string]string{"X-Ms-Error-Code": "Md5Mismatch"}}}},
		{"the commit is refused", []faultproxy.Fault{times(1, list, api(http.StatusInternalServerError, "OperationTimedOut"))}},
		{"the answer to the commit is lost", []faultproxy.Fault{{Match: list, Times: 1, Forward: true, Reset: true}}},
		{"all of it", []faultproxy.Fault{
			times(1, block, api(http.StatusServiceUnavailable, "ServerBusy")), lost, {Match: block, Times: 1, Forward: true, Reset: true},
			times(1, list, api(http.StatusInternalServerError, "InternalError")), {Match: list, Times: 1, Forward: true, Reset: true},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t)
			s.proxy.Set(c.faults...)
			item := archivetest.Item(t, keyOf(t, s), 4<<20+12345, 9)
			stored, err := s.Put(t.Context(), item)
			if err != nil || !stored.Same(item.Size, item.MD5) {
				t.Fatalf("%+v, %v", stored, err)
			}
			want, _ := os.ReadFile(item.Path)
			if got := s.content(t, item.Key); !slices.Equal(got, want) {
				t.Errorf("%d other bytes", len(got))
			}
			if _, uncommitted := s.blocks(t, item.Key); len(uncommitted) != 0 {
				t.Errorf("%d blocks are left", len(uncommitted))
			}
		})
	}
}

// times limits a fault to some requests.
func times(n int, match func(*http.Request) bool, f faultproxy.Fault) faultproxy.Fault {
	f.Times, f.Match = n, match
	return f
}

// TestRefusedUpload: what does not pass is an error at once, which says what it is.
func TestRefusedUpload(t *testing.T) {
	for code, want := range map[string]media.Kind{"AuthorizationPermissionMismatch": media.Denied, "ContainerNotFound": media.Unavailable, "AccountIsDisabled": media.Unavailable} {
		s := start(t)
		s.retry.Tries = 1
		s.proxy.Set(times(0, comp(http.MethodPut, "block"), api(http.StatusForbidden, code)))
		_, err := s.Put(t.Context(), archivetest.Item(t, keyOf(t, s), 1000, 1))
		if media.KindOf(err) != want || media.ReasonOf(err) != code {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// TestRetryAfter: a request is not repeated before the service wants it.
func TestRetryAfter(t *testing.T) {
	for header, want := range map[[2]string]time.Duration{
		{"Retry-After", "7"}: 7 * time.Second, {"X-Ms-Retry-After-Ms", "150"}: 150 * time.Millisecond, {"Retry-After", "soon"}: 0,
	} {
		s := start(t)
		s.retry.Tries = 1
		s.proxy.Set(api(http.StatusServiceUnavailable, "ServerBusy", header[0], header[1]))
		_, err := s.Archive.Stat(t.Context(), "a.mp4")
		if got := media.RetryAfterOf(err); got != want || media.KindOf(err) != media.Unavailable {
			t.Errorf("%v: %v, %v", header, got, err)
		}
	}
}

// TestUploadIsResumed: what an upload that was killed has sent is not sent again.
func TestUploadIsResumed(t *testing.T) {
	s := start(t)
	item := archivetest.Item(t, keyOf(t, s), 8<<20, 3)
	var session string
	item.SaveSession = func(key string) error { session = key; return nil }
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	block := comp(http.MethodPut, "block")
	s.proxy.Set(faultproxy.Fault{Match: func(r *http.Request) bool {
		if block(r) && s.proxy.Count(http.MethodPut, "comp", "block") == 5 {
			kill()
		}
		return false
	}})
	if _, err := s.Put(ctx, item); media.KindOf(err) != media.Canceled {
		t.Fatalf("the first process: %v", err)
	}
	s.proxy.Set()
	s.proxy.AwaitIdle() // the killed process's last blocks belong to it
	_, left := s.blocks(t, item.Key)
	if len(left) == 0 || len(left) == 8 || session != item.Key {
		t.Fatalf("%d blocks are left with session %q", len(left), session)
	}
	sent, received := s.proxy.Count(http.MethodPut, "comp", "block"), s.proxy.Received()
	item.Session = session
	item.SaveSession = func(string) error { t.Error("a new session was begun"); return nil }
	stored, err := s.Put(t.Context(), item)
	if err != nil || !stored.Same(item.Size, item.MD5) {
		t.Fatalf("the second process: %+v, %v", stored, err)
	}
	if again := s.proxy.Count(http.MethodPut, "comp", "block") - sent; again > 8-len(left) {
		t.Errorf("%d blocks were sent where %d of 8 were there", again, len(left))
	}
	if bytes := s.proxy.Received() - received; bytes > int64(8-len(left))<<20+10_000 {
		t.Errorf("%d bytes were sent", bytes)
	}
	before := s.proxy.Received()
	if again, err := s.Put(t.Context(), item); err != nil || again != stored || s.proxy.Received() != before {
		t.Errorf("once more: %+v, %v, %d bytes", again, err, s.proxy.Received()-before)
	}
}

// TestDamageIsSeen: a checksum counts only while the service's list of blocks proves it, and a
// file that is not the announced one is not committed.
func TestDamageIsSeen(t *testing.T) {
	s := start(t)
	item := archivetest.Item(t, keyOf(t, s), 3<<20, 1)
	if _, err := s.Put(t.Context(), item); err != nil {
		t.Fatal(err)
	}
	s.replaceBlocks(t, item.Key)
	if stored, err := s.Archive.Stat(t.Context(), item.Key); err != nil || stored.MD5 != "" || stored.Size != item.Size {
		t.Errorf("a blob of other blocks: %+v, %v", stored, err)
	}
	s.write(t, "foreign.mp4", lesson)
	if stored, err := s.Archive.Stat(t.Context(), "foreign.mp4"); err != nil || stored.MD5 != "" {
		t.Errorf("a blob of somebody else's: %+v, %v", stored, err)
	}
	other := archivetest.Item(t, keyOf(t, s), 3<<20, 2)
	other.MD5 = item.MD5
	if _, err := s.Put(t.Context(), other); media.KindOf(err) != media.Corrupt {
		t.Errorf("a file with another checksum: %v", err)
	}
	if _, err := s.Archive.Stat(t.Context(), other.Key); media.KindOf(err) != media.NotFound {
		t.Errorf("it was committed: %v", err)
	}
}

// replaceBlocks commits other bytes under all the headers and metadata of a blob.
func (s *server) replaceBlocks(t *testing.T, key string) {
	t.Helper()
	client, err := s.blockBlob(key)
	if err != nil {
		t.Fatal(err)
	}
	props, err := client.GetProperties(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, *props.ContentLength)
	id := blockID{md5: md5.Sum(data), sent: time.Now()}.String()
	if _, err := client.StageBlock(t.Context(), id, streaming.NopCloser(strings.NewReader(string(data))), nil); err != nil {
		t.Fatal(err)
	}
	headers := (&upload{item: archive.Item{MD5: hex.EncodeToString(props.ContentMD5)}}).headers()
	if _, err := client.CommitBlockList(t.Context(), []string{id}, &blockblob.CommitBlockListOptions{Metadata: props.Metadata, HTTPHeaders: headers}); err != nil {
		t.Fatal(err)
	}
}

// TestTwoUploads: of two uploads to one key only one is committed, and the other knows.
func TestTwoUploads(t *testing.T) {
	s := start(t)
	item := archivetest.Item(t, keyOf(t, s), 2<<20, 1)
	s.proxy.Set(faultproxy.Fault{Match: func(r *http.Request) bool {
		if comp(http.MethodPut, "blocklist")(r) {
			s.proxy.Set()
			s.write(t, item.Key, lesson)
		}
		return false
	}})
	if _, err := s.Put(t.Context(), item); media.KindOf(err) != media.Changed {
		t.Errorf("the other upload's bytes were overwritten: %v", err)
	}
	if got := s.content(t, item.Key); !slices.Equal(got, lesson) {
		t.Errorf("%d other bytes", len(got))
	}
}

// TestListLeavesOthersOut: what an operator put into the container is not a syncer's.
func TestListLeavesOthersOut(t *testing.T) {
	s := start(t, "prefix=school%2F")
	s.write(t, "lessons/2026/mine.mp4", lesson)
	item := archivetest.Item(t, keyOf(t, s), 1000, 1)
	if _, err := s.Put(t.Context(), item); err != nil {
		t.Fatal(err)
	}
	var listed []archive.Stored
	if err := s.List(t.Context(), func(o archive.Stored) error { listed = append(listed, o); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(listed) != 1 || listed[0].Key != item.Key || listed[0].Size != 1000 {
		t.Errorf("listed %+v", listed)
	}
	stop := errors.New("stop")
	if err := s.List(t.Context(), func(archive.Stored) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("stopped with %v", err)
	}
}

func TestBlockSizes(t *testing.T) {
	const mib, gib, tib = 1 << 20, 1 << 30, 1 << 40
	for _, c := range []struct{ size, want int64 }{
		{0, blockSize}, {1, blockSize}, {5 * gib, blockSize}, {maxBlocks * blockSize, blockSize},
		{maxBlocks*blockSize + 1, blockSize + mib}, {100 * tib, 2098 * mib},
	} {
		got := blockSizeFor(c.size, blockSize)
		if got != c.want || got > maxBlockSize || (c.size+got-1)/got > maxBlocks {
			t.Errorf("%d bytes: blocks of %d", c.size, got)
		}
	}
}

func TestBlockIDs(t *testing.T) {
	id := blockID{index: 49_999, md5: md5.Sum([]byte("x")), sent: time.Unix(1_770_000_000, 0)}
	raw, err := base64.StdEncoding.DecodeString(id.String())
	if back, ok := parseBlockID(id.String()); !ok || back != id || err != nil || len(raw) > 64 {
		t.Errorf("%+v became %+v, %d bytes", id, back, len(raw))
	}
	other := blockID{sent: time.Now()}
	if len(other.String()) != len(id.String()) {
		t.Error("ids of two lengths")
	}
	for _, text := range []string{"", "x", "AAAA", id.String() + "AAAA", base64.StdEncoding.EncodeToString([]byte("lectern1-00001-zz-1"))} {
		if _, ok := parseBlockID(text); ok {
			t.Errorf("%q is one of ours", text)
		}
	}
}
