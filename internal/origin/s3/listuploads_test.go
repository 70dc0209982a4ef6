package s3

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

// TestUploadsOfSeveralPages: the marker of a page, which the service encodes like a key, is
// sent back as the key that it stands for.
func TestUploadsOfSeveralPages(t *testing.T) {
	t.Parallel()
	const page = `<?xml version="1.0"?><ListMultipartUploadsResult><EncodingType>url</EncodingType><IsTruncated>%t</IsTruncated>
		<NextKeyMarker>my+school/lessons/a</NextKeyMarker><NextUploadIdMarker>1</NextUploadIdMarker>
		<Upload><Key>my+school/lessons/%s</Key><UploadId>%[3]d</UploadId><Initiated>2026-01-02T03:04:05Z</Initiated></Upload></ListMultipartUploadsResult>`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch marker := r.URL.Query().Get("key-marker"); marker {
		case "":
			fmt.Fprintf(w, page, true, "a", 1)
		case "my school/lessons/a":
			fmt.Fprintf(w, page, false, "b", 2)
		default:
			t.Errorf("the marker %q is not a key", marker)
			http.Error(w, "", http.StatusBadRequest)
		}
	}))
	t.Cleanup(server.Close)
	o, err := New(t.Context(), Config{Credentials: anonymous, URL: "s3://bucket?" + url.Values{
		"region": {"r"}, "use_path_style": {"true"}, "endpoint": {server.URL}, "prefix": {"my school/"},
	}.Encode()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Stop)
	found, err := NewArchive(o).uploadsBefore(t.Context(), time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC))
	if err != nil || len(found) != 2 || found[1].Key != "my school/lessons/b" {
		t.Errorf("%+v, %v", found, err)
	}
}
