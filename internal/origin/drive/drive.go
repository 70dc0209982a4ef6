// Package drive is the origin that is Google Drive: the only room that knows its
// SDK. https://developers.google.com/workspace/drive/api/reference/rest/v3
package drive

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	drivev3 "google.golang.org/api/drive/v3"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"

	"github.com/lectiospace/lectern/internal/media"
)

// Origin reads files of Google Drive. Safe for concurrent use.
type Origin struct {
	service   *drivev3.Service
	transport *http.Transport
	client    *http.Client
	tokens    *tokenRefresher // nil without authentication

	mu sync.Mutex
	// unpinned are files whose revisions this principal may not read; guarded by mu.
	unpinned map[string]bool
}

// New prepares the client. It does not ask Drive for anything: a gateway starts
// although Drive is away.
func New(ctx context.Context, cfg Config, log *slog.Logger) (*Origin, error) {
	o := &Origin{transport: newTransport(), unpinned: map[string]bool{}}
	client := &http.Client{Transport: o.transport}
	if cfg.Credentials != "none" {
		source, err := tokenSource(cfg, &http.Client{Transport: o.transport, Timeout: 20 * time.Second})
		if err != nil {
			return nil, err
		}
		o.tokens = newTokenRefresher(source, log)
		client.Transport = &oauth2.Transport{Base: o.transport, Source: o.tokens}
	}
	o.client = client
	options := []option.ClientOption{option.WithHTTPClient(client)}
	if cfg.Endpoint != "" {
		options = append(options, option.WithEndpoint(strings.TrimSuffix(cfg.Endpoint, "/")+"/"))
	}
	service, err := drivev3.NewService(context.WithoutCancel(ctx), options...)
	if err != nil {
		o.Close()
		return nil, fmt.Errorf("origin-drive-endpoint: %w", err)
	}
	o.service = service
	return o, nil
}

// Close ends the token's renewal and drops idle connections; twice is harmless.
func (o *Origin) Close() error {
	if o.tokens != nil {
		o.tokens.stop()
	}
	o.transport.CloseIdleConnections()
	return nil
}

// newTransport speaks HTTP/1.1 only: one HTTP/2 connection to Drive carries half
// of what a few HTTP/1.1 connections do, and breaks now and then.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		TLSNextProto:          map[string]func(string, *tls.Conn) http.RoundTripper{},
		DisableCompression:    true,
		MaxIdleConns:          128,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       4 * time.Minute,
		ResponseHeaderTimeout: 30 * time.Second,
		ReadBufferSize:        64 << 10,
	}
}

// tokenSource reads the credentials. Errors never quote them.
func tokenSource(cfg Config, client *http.Client) (oauth2.TokenSource, error) {
	data := []byte(cfg.Credentials)
	if !strings.HasPrefix(strings.TrimSpace(cfg.Credentials), "{") {
		var err error
		if data, err = os.ReadFile(cfg.Credentials); err != nil {
			return nil, fmt.Errorf("origin-drive-credentials: %w", err)
		}
	}
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, client)
	if cfg.Subject != "" {
		jwtConfig, err := google.JWTConfigFromJSON(data, drivev3.DriveScope)
		if err != nil {
			return nil, errors.New("origin-drive-credentials: not a service account's JSON, which origin-drive-subject needs")
		}
		jwtConfig.Subject = cfg.Subject
		return uncachedSource(func() oauth2.TokenSource { return jwtConfig.TokenSource(ctx) }), nil
	}
	for _, kind := range []google.CredentialsType{google.ServiceAccount, google.AuthorizedUser} {
		if _, err := google.CredentialsFromJSONWithType(ctx, data, kind, drivev3.DriveScope); err == nil {
			return uncachedSource(func() oauth2.TokenSource {
				creds, err := google.CredentialsFromJSONWithType(ctx, data, kind, drivev3.DriveScope)
				if err != nil {
					panic("BUG: credentials that were read once cannot be read again")
				}
				return creds.TokenSource
			}), nil
		}
	}
	return nil, errors.New("origin-drive-credentials: neither a service account's nor an authorised user's JSON")
}

// anew makes a token source that never answers from memory: the library's own
// keep a token until it is nearly over, and could not be renewed ahead.
type uncachedSource func() oauth2.TokenSource

// Token implements oauth2.TokenSource.
func (a uncachedSource) Token() (*oauth2.Token, error) { return a().Token() }

// statFields are what identifies bytes; the default set lacks size and checksum.
const statFields = "id,name,mimeType,size,md5Checksum,headRevisionId,modifiedTime,trashed,shortcutDetails,capabilities/canDownload"

// Stat asks for a file's metadata; a shortcut is followed once.
func (o *Origin) Stat(ctx context.Context, loc media.Location) (media.Object, error) {
	f, err := o.metadata(ctx, loc.Key)
	if err != nil {
		return media.Object{}, err
	}
	if f.ShortcutDetails != nil && f.ShortcutDetails.TargetId != "" {
		if f, err = o.metadata(ctx, f.ShortcutDetails.TargetId); err != nil {
			return media.Object{}, err
		}
	}
	return objectOf(loc, f)
}

// fileID is what a Drive id looks like; anything else must not reach a path.
var fileID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,200}$`)

func (o *Origin) metadata(ctx context.Context, key string) (*drivev3.File, error) {
	id, resourceKey, _ := strings.Cut(key, "?resourcekey=")
	if !fileID.MatchString(id) {
		return nil, media.Faultf(media.NotFound, "drive: stat", "not a Drive file id")
	}
	call := o.service.Files.Get(id).SupportsAllDrives(true).Fields(statFields).Context(ctx)
	setResourceKey(call.Header(), id, resourceKey)
	var f *drivev3.File
	err := o.withFreshToken(func() (err error) {
		f, err = call.Do()
		return err
	})
	if err != nil {
		return nil, fault("drive: stat", err)
	}
	return f, nil
}

// setResourceKey is needed for files shared by link before 2021.
func setResourceKey(h http.Header, id, key string) {
	if key != "" && fileID.MatchString(key) {
		h.Set("X-Goog-Drive-Resource-Keys", id+"/"+key)
	}
}

func objectOf(loc media.Location, f *drivev3.File) (media.Object, error) {
	version := f.HeadRevisionId
	if version == "" && f.Md5Checksum != "" {
		version = "md5:" + f.Md5Checksum
	}
	switch {
	case f.Trashed:
		return media.Object{}, media.Faultf(media.NotFound, "drive: stat", "the file is in the trash")
	case strings.HasPrefix(f.MimeType, "application/vnd.google-apps."), version == "":
		return media.Object{}, media.Faultf(media.Invalid, "drive: stat", "not a file with bytes of its own")
	case f.Capabilities != nil && !f.Capabilities.CanDownload:
		return media.Object{}, media.Faultf(media.Denied, "drive: stat", "the file may not be downloaded")
	case f.Size < 0:
		return media.Object{}, media.Faultf(media.Corrupt, "drive: stat", "a size of %d", f.Size)
	}
	modified, _ := time.Parse(time.RFC3339, f.ModifiedTime) // zero when it does not say
	id := loc.Key
	if f.Id != "" && !strings.HasPrefix(loc.Key, f.Id) {
		id = f.Id // a shortcut's target
	}
	return media.Object{
		Provider: media.ProviderDrive, ID: id, Version: version, Size: f.Size,
		ContentType: f.MimeType, ModTime: modified, Pinned: f.HeadRevisionId != "",
	}, nil
}

// authorised runs a request and, when the token was refused, once more with a
// fresh one.
func (o *Origin) withFreshToken(request func() error) error {
	err := request()
	var apiErr *googleapi.Error
	if o.tokens != nil && errors.As(err, &apiErr) && apiErr.Code == http.StatusUnauthorized {
		o.tokens.renewNow()
		err = request()
	}
	return err
}
