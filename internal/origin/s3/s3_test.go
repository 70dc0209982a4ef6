package s3

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"go.uber.org/goleak"

	s3emu "github.com/lectiospace/lectern/internal/emulator/s3"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
	"github.com/lectiospace/lectern/internal/origin/origintest"
)

func TestMain(m *testing.M) {
	// Nothing of this machine's own settings counts, and nothing is sent to look for more.
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_PROFILE": "", "AWS_ACCESS_KEY_ID": "", "AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_S3": "",
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

const (
	bucket = "lessons"
	keys   = "AKIDEXAMPLE:a-secret"
)

var lesson = bytes.Repeat([]byte("a lesson's bytes, "), 20_000)

// placeAt is the setting's URL of a bucket at a server.
func placeAt(server, region, prefix string) string {
	return Place{Bucket: bucket, Region: region, Endpoint: server, PathStyle: true, Prefix: prefix}.String()
}

// connect makes an origin for a server.
func connect(t *testing.T, handler http.Handler, prefix string) *Origin {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return at(t, server.URL, prefix)
}

// at makes an origin for the server at an address.
func at(t *testing.T, server, prefix string) *Origin {
	t.Helper()
	o, err := New(t.Context(), Config{URL: placeAt(server, "eu-central-1", prefix), Credentials: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Stop)
	return o
}

// emulated is an origin on an emulator that has a lesson.
func emulated(t *testing.T, cfg s3emu.Config) (*Origin, *s3emu.Server) {
	t.Helper()
	cfg.Bucket = bucket
	server := s3emu.New(cfg)
	server.Put("school/lesson.mp4", lesson, "video/mp4")
	return connect(t, server, "school/"), server
}

func statLesson(t *testing.T, o origin.Stater) media.Object {
	t.Helper()
	obj, err := o.Stat(t.Context(), media.Location{Provider: media.ProviderS3, Key: "lesson.mp4"})
	if err != nil {
		t.Fatal(err)
	}
	return obj
}

// fakes3 is gofakes3 with a bucket, which answers in its own way: it has no checksums but
// MD5, ignores If-Match in reads, and knows versions.
func fakes3(t *testing.T, versioned bool) (http.Handler, *s3mem.Backend) {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket(bucket); err != nil {
		t.Fatal(err)
	}
	if versioned {
		if err := backend.SetVersioningConfiguration(bucket, gofakes3.VersioningConfiguration{Status: gofakes3.VersioningEnabled}); err != nil {
			t.Fatal(err)
		}
	}
	return gofakes3.New(backend).Server(), backend
}

func TestConformance(t *testing.T) {
	files := map[string][]byte{"lesson.mp4": lesson, "урок & 1/a+b %2f?.mp4": []byte("x"), "empty.mp4": {}}
	for name, cfg := range map[string]s3emu.Config{"etags": {}, "versions": {Versioned: true}, "no checksums": {NoChecksums: true}} {
		t.Run(name, func(t *testing.T) {
			o, server := emulated(t, cfg)
			for key, data := range files {
				server.Put("school/"+key, data, "video/mp4")
			}
			origintest.Conformance(t, o, media.ProviderS3, files)
		})
	}
	for name, versioned := range map[string]bool{"gofakes3": false, "gofakes3 with versions": true} {
		t.Run(name, func(t *testing.T) {
			handler, backend := fakes3(t, versioned)
			for key, data := range files {
				if _, err := backend.PutObject(bucket, "school/"+key, map[string]string{"Content-Type": "video/mp4"}, bytes.NewReader(data), int64(len(data)), nil); err != nil {
					t.Fatal(err)
				}
			}
			origintest.Conformance(t, connect(t, handler, "school/"), media.ProviderS3, files)
		})
	}
}

// TestStat: what is described, and by which version it is read.
func TestStat(t *testing.T) {
	o, server := emulated(t, s3emu.Config{})
	obj := statLesson(t, o)
	if obj.ContentType != "video/mp4" || obj.ModTime.IsZero() || !obj.Pinned || !strings.HasPrefix(obj.Version, `"`) {
		t.Errorf("%+v", obj)
	}
	for _, key := range []string{"", "..", "../lesson.mp4", "a/../lesson.mp4", "lesson.mp4\x00", "lesson.mp4\n"} {
		if _, err := o.Stat(t.Context(), media.Location{Key: key}); media.KindOf(err) != media.NotFound {
			t.Errorf("%q: %v", key, err)
		}
	}
	if n := server.Requests("HeadObject"); n != 1 {
		t.Errorf("%d requests: a refused key was sent", n)
	}
}

// TestReplaced: a read of a version that was replaced gives Changed, or its own bytes where
// the bucket keeps them.
func TestReplaced(t *testing.T) {
	for name, cfg := range map[string]s3emu.Config{"etags": {}, "versions": {Versioned: true}} {
		o, server := emulated(t, cfg)
		obj := statLesson(t, o)
		server.Put("school/lesson.mp4", bytes.ToUpper(lesson), "video/mp4")
		got, err := origintest.Read(t.Context(), o, obj, obj.Span())
		if cfg.Versioned && (err != nil || !bytes.Equal(got, lesson)) || !cfg.Versioned && media.KindOf(err) != media.Changed {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		if now := statLesson(t, o); now.Version == obj.Version {
			t.Errorf("%s: both versions are %s", name, now.Version)
		}
	}
	handler, backend := fakes3(t, false)
	put := func(data []byte) {
		if _, err := backend.PutObject(bucket, "lesson.mp4", nil, bytes.NewReader(data), int64(len(data)), nil); err != nil {
			t.Fatal(err)
		}
	}
	put(lesson)
	o := connect(t, handler, "")
	obj := statLesson(t, o)
	put(bytes.ToUpper(lesson))
	if _, err := origintest.Read(t.Context(), o, obj, obj.Span()); media.KindOf(err) != media.Changed {
		t.Errorf("a service that ignores If-Match: %v", err)
	}
}

// TestLies: an answer that is not the requested bytes is an error, and what the decorators
// of origins mend is mended: exact bytes or an error, never others, and nothing is left open.
func TestLies(t *testing.T) {
	const get = "GetObject"
	for name, c := range map[string]struct {
		fault s3emu.Fault
		want  media.Kind // Other = the bytes come after all
	}{
		"short body":         {s3emu.Fault{After: 1000, Short: true}, media.Corrupt},
		"stalls":             {s3emu.Fault{After: 1000, Stall: true}, media.Timeout},
		"another range":      {s3emu.Fault{OtherRange: true}, media.Corrupt},
		"the whole":          {s3emu.Fault{WholeBody: true}, media.Corrupt},
		"a page":             {s3emu.Fault{Page: true}, media.Corrupt},
		"another ETag":       {s3emu.Fault{OtherETag: true}, media.Changed},
		"replaced meanwhile": {s3emu.Fault{After: 1000, Replace: bytes.ToUpper(lesson)}, media.Other},
		"slow down":          {s3emu.Fault{Status: 503, Code: "SlowDown", Header: map[string]string{"Retry-After": "1"}}, media.Unavailable},
		"internal error":     {s3emu.Fault{Status: 500, Code: "InternalError"}, media.Unavailable},
		"gone":               {s3emu.Fault{Status: 404, Code: "NoSuchKey"}, media.NotFound},
		"replaced":           {s3emu.Fault{Status: 412, Code: "PreconditionFailed"}, media.Changed},
		"shorter":            {s3emu.Fault{Status: 416, Code: "InvalidRange"}, media.Changed},
		"another region":     {s3emu.Fault{Status: 301, Code: "PermanentRedirect", Header: map[string]string{"Location": "http://192.0.2.1/", "X-Amz-Bucket-Region": "us-west-2"}}, media.Unavailable},
		"clock":              {s3emu.Fault{ClockAhead: time.Hour}, media.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, server := emulated(t, s3emu.Config{})
			obj := statLesson(t, o)
			server.Set(s3emu.Faults{Always: map[string]s3emu.Fault{get: c.fault}})
			span := media.Span{Off: 10, Len: 100_000}
			one := origin.Watchdog(origin.Verify(o), 100*time.Millisecond)
			got, err := origintest.Read(t.Context(), one, obj, span)
			if !bytes.Equal(got, lesson[10:10+len(got)]) {
				t.Error("other bytes were read")
			}
			if c.want == media.Other && err != nil || c.want != media.Other && media.KindOf(err) != c.want {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if name == "slow down" && media.RetryAfterOf(err) != time.Second {
				t.Errorf("Retry-After: %v", media.RetryAfterOf(err))
			}
			if name == "another region" && (media.ReasonOf(err) != ReasonWrongRegion || !strings.Contains(err.Error(), "us-west-2")) {
				t.Errorf("%v", err)
			}
			// Once, and the next attempt is answered: the reader notices nothing.
			server.Put("school/lesson.mp4", lesson, "video/mp4")
			server.Set(s3emu.Faults{Script: map[string][]s3emu.Fault{get: {c.fault}}})
			hardened := origin.Harden(o, origin.Options{Provider: media.ProviderS3, Stall: 100 * time.Millisecond})
			got, err = origintest.Read(t.Context(), hardened, obj, span)
			if c.want.Passing() && (err != nil || int64(len(got)) != span.Len) || !bytes.Equal(got, lesson[10:10+len(got)]) {
				t.Errorf("with retries: %d bytes, %v", len(got), err)
			}
		})
	}
}

// TestOtherVersion: an answer that names another version than was requested.
func TestOtherVersion(t *testing.T) {
	o, server := emulated(t, s3emu.Config{Versioned: true})
	obj := statLesson(t, o)
	server.Set(s3emu.Faults{Always: map[string]s3emu.Fault{"GetObject": {OtherVersion: true}}})
	if _, err := origintest.Read(t.Context(), o, obj, obj.Span()); media.KindOf(err) != media.Corrupt {
		t.Errorf("%v", err)
	}
	server.Set(s3emu.Faults{Always: map[string]s3emu.Fault{"GetObject": {Status: 404, Code: "NoSuchVersion"}}})
	if _, err := origintest.Read(t.Context(), o, obj, obj.Span()); media.KindOf(err) != media.Changed {
		t.Errorf("a version that is gone: %v", err)
	}
}

// TestFaults: each refusal has its kind and its reason, whether it comes with a body or not,
// names no secret, and only a missing key is NotFound.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		kind   media.Kind
		reason string
	}{
		{404, "NoSuchKey", media.NotFound, "NoSuchKey"},
		{404, "NoSuchBucket", media.Unavailable, "NoSuchBucket"},
		{404, "<html>", media.Unavailable, ReasonNotAPI},
		{403, "AccessDenied", media.Denied, "AccessDenied"},
		{403, "InvalidAccessKeyId", media.Unavailable, "InvalidAccessKeyId"},
		{403, "SignatureDoesNotMatch", media.Unavailable, "SignatureDoesNotMatch"},
		{403, "RequestTimeTooSkewed", media.Unavailable, "RequestTimeTooSkewed"},
		{403, "InvalidObjectState", media.Denied, "InvalidObjectState"},
		{403, "SomethingNew", media.Denied, "SomethingNew"},
		{403, "", media.Unavailable, ReasonNotAPI},
		{400, "ExpiredToken", media.Unavailable, "ExpiredToken"},
		{400, "AuthorizationHeaderMalformed", media.Unavailable, ReasonWrongRegion},
		{400, "InvalidArgument", media.Invalid, "InvalidArgument"},
		{301, "PermanentRedirect", media.Unavailable, ReasonWrongRegion},
		{307, "TemporaryRedirect", media.Unavailable, ReasonWrongRegion},
		{429, "TooManyRequests", media.Unavailable, "TooManyRequests"},
		{503, "SlowDown", media.Unavailable, "SlowDown"},
		{503, "", media.Unavailable, ""},
		{500, "InternalError", media.Unavailable, "InternalError"},
		{400, "RequestTimeout", media.Timeout, "RequestTimeout"},
		{507, "InsufficientStorage", media.Quota, "InsufficientStorage"},
	} {
		o, server := emulated(t, s3emu.Config{})
		server.Set(s3emu.Faults{Always: map[string]s3emu.Fault{"*": {Status: c.status, Code: c.code}}})
		for name, err := range map[string]error{
			"stat": func() error { _, err := o.Stat(t.Context(), media.Location{Key: "lesson.mp4"}); return err }(),
			"open": func() error {
				_, err := o.Open(t.Context(), media.Object{ID: "lesson.mp4", Version: `"x"`, Size: 1}, media.Span{Len: 1})
				return err
			}(),
		} {
			reason := media.ReasonOf(err)
			if name == "stat" && c.status >= 500 {
				reason = c.reason // HEAD has no body, and a busy service is not asked twice
			}
			if media.KindOf(err) != c.kind || reason != c.reason {
				t.Errorf("%s: %d %s: %v", name, c.status, c.code, err)
			}
			if strings.Contains(err.Error(), "a-secret") || strings.Contains(err.Error(), "http://") || c.kind == media.Denied && !strings.Contains(err.Error(), "action s3:GetObject") {
				t.Errorf("%s: %d %s: text %q", name, c.status, c.code, err)
			}
		}
	}
}

// TestRetryBudgetIsOne: the SDK repeats nothing by itself, so that the budget of origin.Retry
// is all that a read may cost.
func TestRetryBudgetIsOne(t *testing.T) {
	o, server := emulated(t, s3emu.Config{})
	obj := statLesson(t, o)
	for _, fault := range []s3emu.Fault{{Status: 500, Code: "InternalError"}, {Status: 503}, {Short: true, After: 1}, {Status: 403, Code: "RequestTimeTooSkewed"}} {
		before := server.Requests("GetObject")
		server.Set(s3emu.Faults{Always: map[string]s3emu.Fault{"GetObject": fault}})
		if _, err := origintest.Read(t.Context(), origin.Retry(origin.Verify(o), 2), obj, obj.Span()); !media.KindOf(err).Passing() {
			t.Errorf("%+v: %v", fault, err)
		}
		if n := server.Requests("GetObject") - before; n != 2 {
			t.Errorf("%+v: %d requests for 2 attempts", fault, n)
		}
	}
}

// TestSilent: a service that accepts connections and never answers is a Timeout when the
// caller's time is over.
func TestSilent(t *testing.T) {
	o := connect(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), "")
	for name, request := range map[string]func(ctx context.Context) error{
		"stat": func(ctx context.Context) error { _, err := o.Stat(ctx, media.Location{Key: "a"}); return err },
		"open": func(ctx context.Context) error {
			_, err := o.Open(ctx, media.Object{ID: "a", Version: "v", Size: 1}, media.Span{Len: 1})
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := request(ctx); media.KindOf(err) != media.Timeout {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}

// TestCredentials: of the setting, of the environment, of nobody; and again at a reload.
func TestCredentials(t *testing.T) {
	server := s3emu.New(s3emu.Config{Bucket: bucket, KeyID: "AKIDEXAMPLE"})
	server.Put("a", lesson, "video/mp4")
	listener := httptest.NewServer(server)
	t.Cleanup(listener.Close)
	url := placeAt(listener.URL, "", "")
	stat := func(cfg Config) (*Origin, error) {
		t.Helper()
		o, err := New(t.Context(), cfg)
		if err != nil {
			return nil, err
		}
		t.Cleanup(o.Stop)
		_, err = o.Stat(t.Context(), media.Location{Key: "a"})
		return o, err
	}
	if _, err := stat(Config{URL: url, Credentials: keys}); err != nil {
		t.Errorf("of the setting: %v", err)
	}
	if _, err := stat(Config{URL: url, Credentials: keys + ":a-token"}); err != nil {
		t.Errorf("with a token: %v", err)
	}
	if _, err := stat(Config{URL: url, Credentials: "none"}); media.ReasonOf(err) != "InvalidAccessKeyId" {
		t.Errorf("unsigned: %v", err)
	}
	if _, err := stat(Config{URL: url}); media.ReasonOf(err) != ReasonNoCredentials || media.KindOf(err) != media.Unavailable {
		t.Errorf("of nobody: %v", err)
	}
	o, err := stat(Config{URL: url, Credentials: "OLD:a-secret"})
	if media.ReasonOf(err) != "InvalidAccessKeyId" {
		t.Errorf("of somebody else: %v", err)
	}
	if err := o.SetCredentials(t.Context(), Config{Credentials: "bad"}); err == nil || strings.Contains(err.Error(), "bad") {
		t.Errorf("unreadable ones: %v", err)
	}
	if err := o.SetCredentials(t.Context(), Config{Credentials: "none"}); err == nil {
		t.Error("authentication was turned off")
	}
	if err := o.SetCredentials(t.Context(), Config{Credentials: keys}); err != nil {
		t.Error(err)
	}
	if _, err := o.Stat(t.Context(), media.Location{Key: "a"}); err != nil {
		t.Errorf("after a reload: %v", err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
	if _, err := stat(Config{URL: url}); err != nil {
		t.Errorf("of the environment: %v", err)
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, ""},
		{Config{URL: "s3://lessons?region=eu-central-1"}, ""},
		{Config{URL: "s3://lessons", Credentials: "id:secret"}, ""},
		{Config{URL: "s3://lessons", Credentials: "id:secret:token"}, ""},
		{Config{URL: "s3://lessons", Credentials: "none"}, ""},
		{Config{Credentials: "id:secret"}, "origin-s3-credentials: "},
		{Config{URL: "s3://lessons?x=1"}, "origin-s3-url: "},
		{Config{URL: "s3://lessons", Credentials: "hidden"}, "origin-s3-credentials: "},
		{Config{URL: "s3://lessons", Credentials: "hidden:"}, "origin-s3-credentials: "},
		{Config{URL: "s3://lessons", Credentials: ":hidden"}, "origin-s3-credentials: "},
		{Config{URL: "s3://lessons", Credentials: "id:hidden:"}, "origin-s3-credentials: "},
		{Config{URL: "s3://lessons", Credentials: "id:hid den"}, "origin-s3-credentials: "},
	} {
		err := c.cfg.Check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "hid")) {
			t.Errorf("%+v: %v", c.cfg, err)
		}
	}
	if _, err := New(t.Context(), Config{URL: "s3://lessons", Credentials: keys}); err == nil || !strings.Contains(err.Error(), "region") {
		t.Errorf("without a region: %v", err)
	}
}
