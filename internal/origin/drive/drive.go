// Package drive is the origin and the archive on Google Drive, and the only package that
// imports its SDK. https://developers.google.com/workspace/drive/api/reference/rest/v3
package drive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	drivev3 "google.golang.org/api/drive/v3"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
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

// New prepares the client. It sends nothing: a gateway starts although Drive is
// unreachable.
func New(ctx context.Context, cfg Config, log *slog.Logger) (*Origin, error) {
	o := &Origin{transport: origin.NewTransport(idleTimeout), unpinned: map[string]bool{}}
	client := &http.Client{Transport: origin.WithTraceparent(origin.WithFailpoints(o.transport))}
	if cfg.Credentials != "none" {
		source, err := tokenSource(cfg, &http.Client{Transport: o.transport, Timeout: exchangeTimeout})
		if err != nil {
			return nil, err
		}
		o.tokens = newTokenRefresher(source, log)
		client.Transport = &oauth2.Transport{Base: client.Transport, Source: o.tokens}
	}
	o.client = client
	options := []option.ClientOption{option.WithHTTPClient(client)}
	if cfg.Endpoint != "" {
		options = append(options, option.WithEndpoint(strings.TrimSuffix(cfg.Endpoint, "/")+"/"))
	}
	service, err := drivev3.NewService(context.WithoutCancel(ctx), options...)
	if err != nil {
		o.Stop()
		return nil, fmt.Errorf("origin-drive-endpoint: %w", err)
	}
	o.service = service
	return o, nil
}

// SetCredentials reads the credentials again and uses them from now on. An error names the
// setting, and then the present ones stay; the change from or to no authentication is one.
func (o *Origin) SetCredentials(cfg Config) error {
	if (cfg.Credentials == "none" || cfg.Credentials == "") != (o.tokens == nil) {
		return errors.New("origin-drive-credentials: authentication is turned on and off by a restart only")
	}
	if o.tokens == nil {
		return nil
	}
	source, err := tokenSource(cfg, &http.Client{Transport: o.transport, Timeout: exchangeTimeout})
	if err != nil {
		return err
	}
	o.tokens.replace(source)
	return nil
}

// Start starts the renewal of the access token in the background, until ctx ends or Stop is
// called. Without it requests work, and those that find the token expired wait for a new
// one. Only the first call has an effect.
func (o *Origin) Start(ctx context.Context) {
	if o.tokens != nil {
		o.tokens.start(ctx)
	}
}

// Stop ends what Start began, waits for it, and closes idle connections. It may be called
// twice, and without Start.
func (o *Origin) Stop() {
	if o.tokens != nil {
		o.tokens.stop()
	}
	o.transport.CloseIdleConnections()
}

// CloseIdleConnections closes connections that nothing uses.
func (o *Origin) CloseIdleConnections() { o.transport.CloseIdleConnections() }

// idleTimeout is how long an unused connection is kept.
const idleTimeout = 4 * time.Minute

// exchangeTimeout bounds the exchange of credentials for a token, which has no caller's
// deadline.
const exchangeTimeout = 10 * time.Second

// tokenSource reads the credentials. Errors never quote them.
func tokenSource(cfg Config, client *http.Client) (oauth2.TokenSource, error) {
	data, err := cfg.credentials()
	if err != nil {
		return nil, err
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

// uncachedSource makes a token source for each call. The library's own sources cache a
// token until shortly before it expires, so that it could not be renewed ahead.
type uncachedSource func() oauth2.TokenSource

// Token implements oauth2.TokenSource.
func (a uncachedSource) Token() (*oauth2.Token, error) { return a().Token() }

// statFields identify bytes; the API's default set lacks size and checksum.
const statFields = "id,name,mimeType,size,md5Checksum,sha256Checksum,headRevisionId,modifiedTime,trashed,shortcutDetails,capabilities/canDownload"

const (
	appsPrefix   = "application/vnd.google-apps." // MIME types of what has no bytes of its own
	folderType   = appsPrefix + "folder"
	shortcutType = appsPrefix + "shortcut"
)

// Stat reads a file's metadata. The key is whatever media.ParseDriveRef reads; one that it
// does not read is NotFound. A shortcut is followed once: the object is its target, with
// the target's resource key in its ID, so that reads send it too.
func (o *Origin) Stat(ctx context.Context, loc media.Location) (media.Object, error) {
	const op = "drive: stat"
	ref, err := parseKey(op, loc.Key)
	if err != nil {
		return media.Object{}, err
	}
	f, err := o.metadata(ctx, ref)
	if err != nil {
		return media.Object{}, err
	}
	if f.MimeType == shortcutType || f.ShortcutDetails != nil && f.ShortcutDetails.TargetId != "" {
		shortcut := ref
		if ref, err = shortcutTarget(op, f); err != nil {
			return media.Object{}, err
		}
		if f, err = o.metadata(ctx, ref, shortcut); err != nil {
			return media.Object{}, err
		}
	}
	return objectOf(op, ref, f)
}

// parseKey reads a location's key. A key that is no id names no file: NotFound.
func parseKey(op, key string) (media.DriveRef, error) {
	ref, err := media.ParseDriveRef(key)
	if err != nil {
		return ref, media.Fault(media.NotFound, op, err)
	}
	return ref, nil
}

// shortcutTarget is where a shortcut leads. Drive itself makes no shortcuts to shortcuts.
func shortcutTarget(op string, f *drivev3.File) (media.DriveRef, error) {
	if f.Trashed {
		return media.DriveRef{}, media.Faultf(media.NotFound, op, "the shortcut is in the trash")
	}
	if f.ShortcutDetails == nil {
		return media.DriveRef{}, media.Faultf(media.Corrupt, op, "a shortcut without a target")
	}
	if err := targetFault(op, f.ShortcutDetails.TargetMimeType); err != nil {
		return media.DriveRef{}, err
	}
	ref := media.DriveRef{ID: f.ShortcutDetails.TargetId, ResourceKey: f.ShortcutDetails.TargetResourceKey}
	if _, err := media.ParseDriveRef(ref.String()); err != nil {
		return media.DriveRef{}, media.Faultf(media.Corrupt, op, "a shortcut whose target has no valid id")
	}
	return ref, nil
}

// targetFault refuses a shortcut to what is no file.
func targetFault(op, mimeType string) error {
	switch mimeType {
	case shortcutType:
		return &media.Error{Kind: media.Invalid, Op: op, Reason: ReasonShortcut, Err: errors.New("the shortcut leads to another shortcut: give the id of the file itself")}
	case folderType:
		return &media.Error{Kind: media.Invalid, Op: op, Reason: ReasonShortcutToFolder, Err: errors.New("the shortcut leads to a folder: give the id of a file")}
	}
	return nil
}

// metadata reads the metadata of a file. others are references whose resource keys Drive may
// want as well, such as the shortcut that led here.
func (o *Origin) metadata(ctx context.Context, ref media.DriveRef, others ...media.DriveRef) (*drivev3.File, error) {
	call := o.service.Files.Get(ref.ID).SupportsAllDrives(true).Fields(statFields).Context(ctx)
	setResourceKeys(call.Header(), append(others, ref)...)
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

// setResourceKeys sends the resource keys of all references that have one, as
// "id/key,id/key".
func setResourceKeys(h http.Header, refs ...media.DriveRef) {
	var pairs []string
	for _, ref := range refs {
		if ref.ResourceKey != "" {
			pairs = append(pairs, ref.ID+"/"+ref.ResourceKey)
		}
	}
	if len(pairs) > 0 {
		h.Set("X-Goog-Drive-Resource-Keys", strings.Join(pairs, ","))
	}
}

// versionOf is the name of a file's current content, "" where it has no bytes of its own.
func versionOf(f *drivev3.File) string {
	if f.HeadRevisionId == "" && f.Md5Checksum != "" {
		return "md5:" + f.Md5Checksum
	}
	return f.HeadRevisionId
}

// sha256Of is the digest of the head revision, which the same response names; "" where
// Drive states none: it has computed it not for every file.
func sha256Of(f *drivev3.File) string {
	sum := strings.ToLower(f.Sha256Checksum)
	if raw, err := hex.DecodeString(sum); err != nil || len(raw) != sha256.Size {
		return ""
	}
	return sum
}

// objectOf is the object of a file's metadata, or why it has no bytes that could be served.
func objectOf(op string, ref media.DriveRef, f *drivev3.File) (media.Object, error) {
	version := versionOf(f)
	switch {
	case f.Trashed:
		return media.Object{}, media.Faultf(media.NotFound, op, "the file is in the trash")
	case f.MimeType == folderType:
		return media.Object{}, &media.Error{Kind: media.Invalid, Op: op, Reason: ReasonFolder, Err: errors.New("the id is a folder's: give the id of a file")}
	case f.MimeType == shortcutType:
		return media.Object{}, targetFault(op, shortcutType)
	case strings.HasPrefix(f.MimeType, appsPrefix), version == "":
		return media.Object{}, media.Faultf(media.Invalid, op, "not a file with bytes of its own")
	case f.Capabilities != nil && !f.Capabilities.CanDownload:
		return media.Object{}, media.Faultf(media.Denied, op, "the file may not be downloaded")
	case f.Size < 0:
		return media.Object{}, media.Faultf(media.Corrupt, op, "a size of %d", f.Size)
	}
	modified, _ := time.Parse(time.RFC3339, f.ModifiedTime) // zero when missing
	return media.Object{
		Provider: media.ProviderDrive, ID: ref.String(), Version: version, Size: f.Size,
		ContentType: f.MimeType, ModTime: modified, SHA256: sha256Of(f), Pinned: f.HeadRevisionId != "",
	}, nil
}

// withFreshToken runs a request and, when its token was refused, once more with a fresh
// one.
func (o *Origin) withFreshToken(request func() error) error {
	err := request()
	var apiErr *googleapi.Error
	if o.tokens != nil && errors.As(err, &apiErr) && apiErr.Code == http.StatusUnauthorized {
		o.tokens.renewNow()
		err = request()
	}
	return err
}
