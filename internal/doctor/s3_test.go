package doctor

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	s3emu "github.com/lectiospace/lectern/internal/emulator/s3"
	"github.com/lectiospace/lectern/internal/origin/s3"
)

// TestS3: what is wrong with a bucket is named with its remedy, actions by their names, and
// nothing is left behind.
func TestS3(t *testing.T) {
	denied := s3emu.Fault{Status: 403, Code: "AccessDenied"}
	always := func(action string, f s3emu.Fault) s3emu.Faults {
		return s3emu.Faults{Always: map[string]s3emu.Fault{action: f}}
	}
	for name, c := range map[string]struct {
		cfg             s3emu.Config
		faults          s3emu.Faults
		region          string
		origin, archive Status
		says            string // by both that do not pass
	}{
		"all is well":           {origin: Pass, archive: Pass},
		"versions":              {cfg: s3emu.Config{Versioned: true}, origin: Pass, archive: Pass, says: "version"},
		"another bucket":        {cfg: s3emu.Config{Bucket: "another"}, origin: Fail, archive: Fail, says: "make the bucket"},
		"another key":           {cfg: s3emu.Config{KeyID: "another"}, origin: Fail, archive: Fail, says: "key id"},
		"another region":        {cfg: s3emu.Config{Region: "us-west-2"}, origin: Fail, archive: Fail, says: "region=us-west-2"},
		"a page":                {faults: always("*", s3emu.Fault{Status: 403}), origin: Fail, archive: Fail, says: "endpoint"},
		"may not list":          {faults: always("ListObjectsV2", denied), origin: Warn, archive: Fail, says: "s3:ListBucket"},
		"may not read":          {faults: always("GetObject", denied), origin: Fail, archive: Fail, says: "s3:GetObject"},
		"may not write":         {faults: always("PutObject", denied), origin: Pass, archive: Fail, says: "s3:PutObject"},
		"may not delete":        {faults: always("DeleteObject", denied), origin: Pass, archive: Fail, says: "s3:DeleteObject"},
		"may not abort":         {faults: always("AbortMultipartUpload", denied), origin: Pass, archive: Fail, says: "s3:AbortMultipartUpload"},
		"may not list parts":    {faults: always("ListParts", denied), origin: Pass, archive: Fail, says: "s3:ListMultipartUploadParts"},
		"may not list uploads":  {faults: always("ListMultipartUploads", denied), origin: Pass, archive: Fail, says: "s3:ListBucketMultipartUploads"},
		"is full":               {faults: always("PutObject", s3emu.Fault{Status: 507, Code: "InsufficientStorage"}), origin: Pass, archive: Fail, says: "room"},
		"the clock is wrong":    {faults: always("*", s3emu.Fault{ClockAhead: time.Hour}), origin: Fail, archive: Fail, says: "time service"},
		"asks to go slower":     {faults: always("*", s3emu.Fault{Status: 503, Code: "SlowDown"}), origin: Warn, archive: Warn, says: "wait a minute"},
		"damages what is sent":  {faults: always("PutObject", s3emu.Fault{DamageUpload: true}), origin: Pass, archive: Fail},
		"names no such service": {faults: always("*", s3emu.Fault{Status: 404, Code: "<>"}), origin: Fail, archive: Fail, says: "endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.cfg.Bucket == "" {
				c.cfg.Bucket = "lessons"
			}
			server := s3emu.New(c.cfg)
			server.Put("school/lesson.mp4", []byte("a lesson"), "video/mp4")
			server.Set(c.faults)
			listener := httptest.NewServer(server)
			defer listener.Close()
			cfg := s3.Config{
				URL:         s3.Place{Bucket: "lessons", Region: "eu-central-1", Endpoint: listener.URL, PathStyle: true, Prefix: "school/"}.String(),
				Credentials: "AKIDEXAMPLE:a-secret",
			}
			for check, want := range map[string]Status{nameOriginS3: c.origin, nameArchive: c.archive} {
				var r Report
				if check == nameArchive {
					r.S3Archive(t.Context(), cfg, 5*time.Minute)
				} else {
					r.S3Origin(t.Context(), cfg, 5*time.Minute)
				}
				f := last(t, &r)
				if f.Check != check || f.Status != want {
					t.Errorf("%+v, want %s", f, want)
				}
				if text := f.Detail + f.Fix; want != Pass && !strings.Contains(text, c.says) || strings.Contains(text, "a-secret") || strings.Contains(text, listener.URL) {
					t.Errorf("%s does not say %q", text, c.says)
				}
			}
			if keys := server.Keys(); name != "may not delete" && len(keys) != 1 {
				t.Errorf("left behind: %v", keys)
			}
			if uploads := server.Uploads(); name != "may not abort" && len(uploads) != 0 {
				t.Errorf("left behind: %v", uploads)
			}
		})
	}
	var r Report
	r.S3Origin(t.Context(), s3.Config{}, 0)
	if f := last(t, &r); f.Status != Pass || f.Detail != "not configured" {
		t.Errorf("%+v", f)
	}
	r.S3Archive(t.Context(), s3.Config{URL: "s3://lessons?x=1"}, 0)
	if f := last(t, &r); f.Status != Fail || !strings.Contains(f.Detail, `"x"`) {
		t.Errorf("%+v", f)
	}
}
