package azurite

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// apiVersion is one that every Azurite knows.
const apiVersion = "2021-12-02"

// Container makes a container in the shared server and returns its name.
func Container(t testing.TB) string {
	t.Helper()
	return makeContainer(t, "")
}

// PublicContainer is Container for one that anybody may read without credentials.
func PublicContainer(t testing.TB) string {
	t.Helper()
	return makeContainer(t, "container")
}

func makeContainer(t testing.TB, public string) string {
	t.Helper()
	name := strings.ToLower("test-" + rand.Text())
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPut, Endpoint(t)+"/"+name+"?restype=container", http.NoBody)
	if err != nil {
		t.Fatalf("azurite: %v", err)
	}
	if public != "" {
		req.Header.Set("X-Ms-Blob-Public-Access", public)
	}
	if err := sign(req); err != nil {
		t.Fatalf("azurite: %v", err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatalf("azurite: %v", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("azurite: a new container: %s", resp.Status)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	return name
}

// sign authorizes a request without a body by the account's key.
// https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
func sign(req *http.Request) error {
	req.Header.Set("X-Ms-Version", apiVersion)
	req.Header.Set("X-Ms-Date", time.Now().UTC().Format(http.TimeFormat))
	var text strings.Builder
	text.WriteString(req.Method + strings.Repeat("\n", 12))
	var names []string
	for name := range req.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-ms-") {
			names = append(names, lower)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		text.WriteString(name + ":" + req.Header.Get(name) + "\n")
	}
	text.WriteString("/" + Account + req.URL.EscapedPath())
	query := req.URL.Query()
	params := make([]string, 0, len(query))
	for name := range query {
		params = append(params, "\n"+strings.ToLower(name)+":"+query.Get(name))
	}
	slices.Sort(params)
	text.WriteString(strings.Join(params, ""))
	key, err := base64.StdEncoding.DecodeString(Key)
	if err != nil {
		return err
	}
	sum := hmac.New(sha256.New, key)
	sum.Write([]byte(text.String()))
	req.Header.Set("Authorization", "SharedKey "+Account+":"+base64.StdEncoding.EncodeToString(sum.Sum(nil)))
	return nil
}
