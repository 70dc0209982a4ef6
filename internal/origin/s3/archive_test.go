package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"hash/crc64"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/archive/archivetest"
	s3emu "github.com/lectiospace/lectern/internal/emulator/s3"
	"github.com/lectiospace/lectern/internal/media"
)

// quick is an archive with small parts and short waits.
func quick(o *Origin) *Archive {
	a := NewArchive(o)
	a.part = 1 << 20
	a.retry.Before = func(int) time.Duration { return time.Millisecond }
	return a
}

// archiveOn is a quick archive on an emulator.
func archiveOn(t *testing.T, cfg s3emu.Config) (*Archive, *s3emu.Server) {
	t.Helper()
	cfg.Bucket = bucket
	server := s3emu.New(cfg)
	return quick(connect(t, server, "school/")), server
}

func newItem(t *testing.T, a *Archive, size int, seed byte) archive.Item {
	t.Helper()
	key, err := a.NewKey(t.Context(), "7")
	if err != nil {
		t.Fatal(err)
	}
	return archivetest.Item(t, key, size, seed)
}

func TestArchive(t *testing.T) {
	for name, cfg := range map[string]s3emu.Config{"etags": {}, "versions": {Versioned: true}, "no checksums": {NoChecksums: true}} {
		t.Run(name, func(t *testing.T) {
			archivetest.Conformance(t, func(t *testing.T) (archive.Archive, func(string) []byte) {
				a, server := archiveOn(t, cfg)
				return a, func(key string) []byte { return server.Content("school/" + key) }
			})
		})
	}
	for name, versioned := range map[string]bool{"gofakes3": false, "gofakes3 with versions": true} {
		t.Run(name, func(t *testing.T) {
			archivetest.Conformance(t, func(t *testing.T) (archive.Archive, func(string) []byte) {
				handler, backend := fakes3(t, versioned)
				a := quick(connect(t, handler, "school/"))
				a.part = 5 << 20 // no service takes smaller ones but the last
				return a, func(key string) []byte {
					o, err := backend.GetObject(bucket, "school/"+key, nil)
					if err != nil {
						t.Fatal(err)
					}
					defer o.Contents.Close()
					data, err := io.ReadAll(o.Contents)
					if err != nil {
						t.Fatal(err)
					}
					return data
				}
			})
		})
	}
}

// TestPartsElsewhere uploads in parts to a service that others have written.
func TestPartsElsewhere(t *testing.T) {
	handler, _ := fakes3(t, false)
	a := quick(connect(t, handler, ""))
	a.part = 5 << 20
	item := newItem(t, a, 11<<20, 3)
	stored, err := a.Put(t.Context(), item)
	if err != nil || !stored.Same(item.Size, item.MD5) {
		t.Fatalf("%+v, %v", stored, err)
	}
	if again, err := a.Put(t.Context(), item); err != nil || again.Version != stored.Version {
		t.Errorf("%+v, %v", again, err)
	}
	body, err := a.Open(t.Context(), item.Key)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	want, _ := os.ReadFile(item.Path)
	if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestUploadSurvives: whatever goes wrong during the upload, the object is there once, whole
// and verified, and nothing else is left.
func TestUploadSurvives(t *testing.T) {
	ill := s3emu.Fault{Status: 500, Code: "InternalError"}
	slow := s3emu.Fault{Status: 503, Code: "SlowDown"}
	for name, script := range map[string]map[string][]s3emu.Fault{
		"nothing goes wrong":             nil,
		"the beginning is refused":       {"CreateMultipartUpload": {ill, slow}},
		"parts are refused in passing":   {"UploadPart": {ill, slow, ill, {Status: 400, Code: "RequestTimeout"}}},
		"a part is damaged on its way":   {"UploadPart": {{}, {DamageUpload: true}, {DamageUpload: true}}},
		"a part is lost":                 {"UploadPart": {{}, {LosePart: true}}},
		"a received part is not listed":  {"ListParts": {{}, {HidePart: 2}}, "CompleteMultipartUpload": {ill}},
		"a completion fails in its body": {"CompleteMultipartUpload": {{ErrorBody: true}, {ErrorBody: true}}},
		"the last answer is lost":        {"CompleteMultipartUpload": {{Short: true}}},
		"the upload is gone":             {"UploadPart": {{}, {Status: 404, Code: "NoSuchUpload"}}},
		"the clock is corrected":         {"CreateMultipartUpload": {{Status: 403, Code: "RequestTimeTooSkewed"}}},
	} {
		for checksums, none := range map[string]bool{"checksums": false, "no checksums": true} {
			t.Run(name+", "+checksums, func(t *testing.T) {
				t.Parallel()
				a, server := archiveOn(t, s3emu.Config{NoChecksums: none})
				faults := s3emu.Faults{Script: map[string][]s3emu.Fault{}}
				for action, list := range script {
					faults.Script[action] = slices.Clone(list)
				}
				server.Set(faults)
				item := newItem(t, a, 3<<20+12345, 9)
				stored, err := a.Put(t.Context(), item)
				if err != nil {
					t.Fatal(err)
				}
				want, _ := os.ReadFile(item.Path)
				if !stored.Same(item.Size, item.MD5) || !bytes.Equal(server.Content("school/"+item.Key), want) {
					t.Errorf("stored %+v", stored)
				}
				if keys := server.Keys(); len(keys) != 1 {
					t.Errorf("keys: %v", keys)
				}
				if left := server.Uploads(); name != "the upload is gone" && len(left) != 0 {
					t.Errorf("uploads are left: %v", left)
				}
			})
		}
	}
}

// TestSmallUploadSurvives: the same of what goes in one request.
func TestSmallUploadSurvives(t *testing.T) {
	a, server := archiveOn(t, s3emu.Config{})
	server.Set(s3emu.Faults{Script: map[string][]s3emu.Fault{"PutObject": {{Status: 503, Code: "SlowDown"}, {DamageUpload: true}}}})
	item := newItem(t, a, 300_000, 2)
	stored, err := a.Put(t.Context(), item)
	if err != nil || !stored.Same(item.Size, item.MD5) || server.Requests("PutObject") != 3 || server.Requests("CreateMultipartUpload") != 0 {
		t.Errorf("%+v, %v, %d requests", stored, err, server.Requests("PutObject"))
	}
}

// stopAfter is a service whose client dies when so many parts were received.
func stopAfter(server http.Handler, parts int32) (http.Handler, <-chan struct{}) {
	var received atomic.Int32
	var once sync.Once
	died := make(chan struct{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("partNumber") && r.Method == http.MethodPut && received.Add(1) > parts {
			once.Do(func() { close(died) })
			_, _ = io.Copy(io.Discard, r.Body) // the server looks for the client's end only after that
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		}
		server.ServeHTTP(w, r)
	}), died
}

// TestUploadIsResumed: a process that dies in the middle leaves a session, and another
// continues it without sending a part again that had arrived, also where the service lists
// no checksums but ETags.
func TestUploadIsResumed(t *testing.T) {
	for name, none := range map[string]bool{"checksums": false, "no checksums": true} {
		t.Run(name, func(t *testing.T) {
			server := s3emu.New(s3emu.Config{Bucket: bucket, NoChecksums: none})
			dying, died := stopAfter(server, 4)
			listener := httptest.NewServer(dying)
			defer listener.Close()
			a := quick(at(t, listener.URL, "school/"))
			a.retry.Tries = 1
			item := newItem(t, a, 9<<20+1, 3)
			saved := ""
			item.SaveSession = func(s string) error { saved = s; return nil }
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-died; cancel() }()
			if _, err := a.Put(ctx, item); media.KindOf(err) != media.Canceled {
				t.Fatalf("the first process: %v", err)
			}
			listener.Close() // what is under way arrives or does not
			arrived := server.Uploads()[0].Parts
			if arrived < 1 {
				t.Fatal("no part had arrived")
			}
			before := server.Requests("UploadPart")
			a = quick(connect(t, server, "school/"))
			item.Session = saved
			item.SaveSession = func(string) error { t.Error("a new upload was begun"); return nil }
			stored, err := a.Put(t.Context(), item)
			if err != nil || !stored.Same(item.Size, item.MD5) {
				t.Fatalf("the second process: %+v, %v", stored, err)
			}
			if sent := server.Requests("UploadPart") - before; sent != 10-arrived {
				t.Errorf("%d of 10 parts were sent after %d had arrived", sent, arrived)
			}
			if n := server.Requests("CreateMultipartUpload"); n != 1 {
				t.Errorf("%d uploads were begun", n)
			}
		})
	}
}

// TestResumedParts: parts of other bytes than the file has now are sent again, and a session
// of another key, or none at all, is not continued.
func TestResumedParts(t *testing.T) {
	a, server := archiveOn(t, s3emu.Config{})
	first := newItem(t, a, 3<<20, 1)
	first.SaveSession = func(s string) error { first.Session = s; return nil }
	a.retry.Tries = 1
	server.Set(s3emu.Faults{Always: map[string]s3emu.Fault{"CompleteMultipartUpload": {Status: 500, Code: "InternalError"}}})
	if _, err := a.Put(t.Context(), first); media.KindOf(err) != media.Unavailable {
		t.Fatalf("%v", err)
	}
	server.Set(s3emu.Faults{})
	other := archivetest.Item(t, first.Key, 3<<20, 2)
	other.Session = first.Session
	stored, err := a.Put(t.Context(), other)
	want, _ := os.ReadFile(other.Path)
	if err != nil || !bytes.Equal(server.Content("school/"+other.Key), want) {
		t.Errorf("%v", err)
	}
	// The claim is that of the upload's beginning: it proves nothing of other bytes.
	if stored.Same(other.Size, other.MD5) || stored.Same(first.Size, first.MD5) {
		t.Errorf("a claim of other bytes was believed: %+v", stored)
	}
	for _, session := range []string{"{", "x", `{"upload":"u","key":"school/other","part":1048576}`, `{"upload":"gone","key":"school/` + first.Key + `","part":1048576}`} {
		next := archivetest.Item(t, first.Key, 3<<20, 3)
		next.Session = session
		if stored, err := a.Put(t.Context(), next); err != nil || !stored.Same(next.Size, next.MD5) {
			t.Errorf("session %s: %+v, %v", session, stored, err)
		}
		if err := a.Remove(t.Context(), first.Key); err != nil {
			t.Error(err)
		}
	}
}

// TestLateUpload: an upload that stood still does not replace what another has stored under
// its key since. Services without conditional writes take uploads all the same.
func TestLateUpload(t *testing.T) {
	a, server := archiveOn(t, s3emu.Config{})
	late := newItem(t, a, 3<<20, 1)
	other := archivetest.Item(t, late.Key, 4<<20, 2)
	late.SaveSession = func(string) error {
		_, err := a.Put(t.Context(), other)
		return err
	}
	want, _ := os.ReadFile(other.Path)
	if _, err := a.Put(t.Context(), late); media.KindOf(err) != media.Changed || !bytes.Equal(server.Content("school/"+late.Key), want) {
		t.Errorf("%v, and %d bytes are there", err, len(server.Content("school/"+late.Key)))
	}
	if left := server.Uploads(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	for action, size := range map[string]int{"CompleteMultipartUpload": 3 << 20, "PutObject": 1000} {
		server.Set(s3emu.Faults{Script: map[string][]s3emu.Fault{action: {{Status: 501, Code: "NotImplemented"}}}})
		item := newItem(t, a, size, 3)
		if stored, err := a.Put(t.Context(), item); err != nil || !stored.Same(item.Size, item.MD5) {
			t.Errorf("%s: %+v, %v", action, stored, err)
		}
	}
}

// TestChangedFile: a file that is not what its checksum says is not archived.
func TestChangedFile(t *testing.T) {
	a, server := archiveOn(t, s3emu.Config{})
	item := newItem(t, a, 2<<20, 1)
	item.MD5 = strings.Repeat("0", 32)
	if _, err := a.Put(t.Context(), item); media.KindOf(err) != media.Corrupt || len(server.Keys()) != 0 {
		t.Errorf("%v, %v", err, server.Keys())
	}
}

// TestSessionThatCannotBeSaved: an upload that nobody could continue is aborted.
func TestSessionThatCannotBeSaved(t *testing.T) {
	a, server := archiveOn(t, s3emu.Config{})
	item := newItem(t, a, 2<<20, 1)
	item.SaveSession = func(string) error { return os.ErrPermission }
	if _, err := a.Put(t.Context(), item); err == nil || len(server.Uploads()) != 0 {
		t.Errorf("%v, %v", err, server.Uploads())
	}
}

// TestAbort: an upload is aborted by its session, once or twice; stale ones are, below the
// place for new recordings and nowhere else, and young ones are not.
func TestAbort(t *testing.T) {
	a, server := archiveOn(t, s3emu.Config{})
	for range 3 {
		server.Begin("school/lessons/2026/left.mp4")
	}
	foreign := []string{"school/other/a.mp4", "elsewhere/lessons/b.mp4", "school/lessons-of-others/c.mp4"}
	for _, key := range foreign {
		server.Begin(key)
	}
	since := time.Now().Add(-12 * time.Hour)
	if n, err := a.AbortStale(t.Context(), since); n != 0 || err != nil {
		t.Errorf("young ones: %d, %v", n, err)
	}
	server.Age(13 * time.Hour)
	young := server.Begin("school/lessons/2026/young.mp4")
	active := server.Uploads()[0]
	number, body := int32(1), bytes.NewReader([]byte("a part"))
	if _, err := a.client.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: aws.String(bucket), Key: &active.Key, UploadId: &active.ID, PartNumber: &number, Body: body}); err != nil {
		t.Fatal(err)
	}
	if n, err := a.AbortStale(t.Context(), since); n != 2 || err != nil {
		t.Errorf("%d were aborted, %v", n, err)
	}
	left := server.Uploads()
	if len(left) != 2+len(foreign) || !slices.ContainsFunc(left, func(u s3emu.Upload) bool { return u.ID == young }) || left[0].ID != active.ID {
		t.Errorf("left: %v", left)
	}
	mine := session{Upload: young, Key: "school/lessons/2026/young.mp4", Part: 1 << 20}
	for range 2 {
		if err := a.AbortUpload(t.Context(), mine.String()); err != nil {
			t.Error(err)
		}
	}
	for _, other := range []string{"", "x", session{Upload: active.ID, Key: "elsewhere", Part: 1}.String()} {
		if err := a.AbortUpload(t.Context(), other); err != nil {
			t.Errorf("%q: %v", other, err)
		}
	}
	if n := len(server.Uploads()); n != 1+len(foreign) {
		t.Errorf("%d uploads are left", n)
	}
}

// TestProof: what the service itself says proves the recorded MD5, and nothing else does.
func TestProof(t *testing.T) {
	const sum = "0123456789abcdef0123456789abcdef"
	claim := map[string]string{metaMD5: sum, metaCRC: "crc", metaETag: "etag-2"}
	for name, c := range map[string]struct {
		head s3.HeadObjectOutput
		want string
	}{
		"its CRC":                        {s3.HeadObjectOutput{Metadata: claim, ChecksumCRC64NVME: aws.String("crc"), ETag: aws.String(`"etag-2"`)}, sum},
		"its CRC, copied in other parts": {s3.HeadObjectOutput{Metadata: claim, ChecksumCRC64NVME: aws.String("crc"), ETag: aws.String(`"etag-9"`)}, sum},
		"another CRC":                    {s3.HeadObjectOutput{Metadata: claim, ChecksumCRC64NVME: aws.String("other"), ETag: aws.String(`"etag-2"`)}, ""},
		"a CRC of CRCs":                  {s3.HeadObjectOutput{Metadata: claim, ChecksumCRC64NVME: aws.String("crc"), ChecksumType: types.ChecksumTypeComposite, ETag: aws.String(`"etag-9"`)}, ""},
		"its ETag":                       {s3.HeadObjectOutput{Metadata: claim, ETag: aws.String(`"etag-2"`)}, sum},
		"another ETag":                   {s3.HeadObjectOutput{Metadata: claim, ETag: aws.String(`"etag-9"`)}, ""},
		"an ETag of a customer's key":    {s3.HeadObjectOutput{Metadata: claim, ETag: aws.String(`"etag-2"`), ServerSideEncryption: types.ServerSideEncryptionAwsKms}, ""},
		"a CRC beside a customer's key":  {s3.HeadObjectOutput{Metadata: claim, ChecksumCRC64NVME: aws.String("crc"), ETag: aws.String(`"x"`), ServerSideEncryption: types.ServerSideEncryptionAwsKms}, sum},
		"a plain ETag without a claim":   {s3.HeadObjectOutput{ETag: aws.String(`"` + sum + `"`)}, sum},
		"a plain ETag and another claim": {s3.HeadObjectOutput{Metadata: claim, ETag: aws.String(`"` + strings.Repeat("a", 32) + `"`)}, ""},
		"the MD5 as its ETag":            {s3.HeadObjectOutput{Metadata: claim, ETag: aws.String(`"` + sum + `"`)}, sum},
		"an ETag of parts, no claim":     {s3.HeadObjectOutput{ETag: aws.String(`"` + sum + `-2"`)}, ""},
		"metadata only":                  {s3.HeadObjectOutput{Metadata: claim}, ""},
	} {
		if got := provenMD5(&c.head); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestChecksums: the check value of CRC-64/NVME, and sizes around a part's border.
func TestChecksums(t *testing.T) {
	if got := crc64.Checksum([]byte("123456789"), nvme); got != 0xae8b14860a799888 {
		t.Errorf("%x", got)
	}
	for _, size := range []int{0, 1, 99, 100, 101, 200, 250} {
		item := archivetest.Item(t, "k", size, 1)
		f, err := os.Open(item.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		sums, err := sumFile(t.Context(), f, 100)
		if err != nil || sums.size != int64(size) || sums.md5 != item.MD5 || len(sums.parts) != max(1, (size+99)/100) {
			t.Errorf("%d bytes: %+v, %v", size, sums, err)
		}
		data, _ := os.ReadFile(item.Path)
		for _, p := range sums.parts {
			if p.md5 != md5.Sum(data[p.offset:p.offset+p.size]) {
				t.Errorf("%d bytes: part at %d: %s", size, p.offset, hex.EncodeToString(p.md5[:]))
			}
		}
	}
}

// TestPartSize: no file has more parts than the service takes.
func TestPartSize(t *testing.T) {
	a := &Archive{part: defaultPartSize}
	for size, want := range map[int64]int64{0: defaultPartSize, defaultPartSize: defaultPartSize, defaultPartSize * maxParts: defaultPartSize, defaultPartSize*maxParts + 1: 17 << 20, 5 << 40: 525 << 20} {
		got := a.partOf(size)
		if got != want || (size+got-1)/got > maxParts {
			t.Errorf("%d bytes: parts of %d, want %d", size, got, want)
		}
	}
}

// TestRemoveKeepsVersions: in a bucket with versions, a removed object is gone for readers of
// the key, and what was removed can be restored by its owner.
func TestRemoveKeepsVersions(t *testing.T) {
	a, _ := archiveOn(t, s3emu.Config{Versioned: true})
	item := newItem(t, a, 1000, 1)
	if _, err := a.Put(t.Context(), item); err != nil {
		t.Fatal(err)
	}
	obj, err := a.Origin.Stat(t.Context(), media.Location{Key: item.Key})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Remove(t.Context(), item.Key); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Stat(t.Context(), item.Key); media.KindOf(err) != media.NotFound {
		t.Errorf("%v", err)
	}
	body, err := a.Origin.Open(t.Context(), obj, obj.Span())
	if err != nil {
		t.Fatalf("the version: %v", err)
	}
	body.Close()
}

// TestRefusedKeys: a key that leads out of the prefix is never sent.
func TestRefusedKeys(t *testing.T) {
	a, server := archiveOn(t, s3emu.Config{})
	for _, key := range []string{"", "../a", "a/../../b", "a\nb"} {
		_, putErr := a.Put(t.Context(), archivetest.Item(t, key, 10, 1))
		_, statErr := a.Stat(t.Context(), key)
		if media.KindOf(putErr) != media.Invalid || media.KindOf(statErr) != media.NotFound || a.Remove(t.Context(), key) != nil {
			t.Errorf("%q: put %v, stat %v", key, putErr, statErr)
		}
	}
	if n := server.Requests("PutObject") + server.Requests("HeadObject") + server.Requests("DeleteObject"); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// TestMissingBucket: a bucket that is missing loses no recording.
func TestMissingBucket(t *testing.T) {
	a := quick(connect(t, s3emu.New(s3emu.Config{Bucket: "another"}), ""))
	a.retry.Tries = 1
	_, statErr := a.Stat(t.Context(), "a")
	listErr := a.List(t.Context(), func(archive.Stored) error { return nil })
	for name, err := range map[string]error{"stat": statErr, "list": listErr, "remove": a.Remove(t.Context(), "a")} {
		if media.KindOf(err) != media.Unavailable || media.ReasonOf(err) != "NoSuchBucket" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

var (
	_ archive.Archive       = (*Archive)(nil)
	_ archive.UploadAborter = (*Archive)(nil)
)
