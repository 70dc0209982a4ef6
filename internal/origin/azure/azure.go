// Package azure is the origin and the archive in a container of Azure Blob Storage, and the
// only package that imports its SDK. https://learn.microsoft.com/rest/api/storageservices/
package azure

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
)

// Origin reads blobs of one container. Safe for concurrent use.
type Origin struct {
	place     place
	transport *http.Transport
	client    *http.Client
	container atomic.Pointer[container.Client]
}

// New prepares the client. It sends nothing: a gateway starts although Azure is
// unreachable. An error begins with the setting's name.
func New(cfg Config) (*Origin, error) {
	where, secret, err := cfg.parse()
	if err != nil {
		return nil, err
	}
	o := &Origin{place: where, transport: origin.NewTransport(idleTimeout)}
	o.client = &http.Client{Transport: origin.WithTraceparent(origin.WithFailpoints(o.transport)), CheckRedirect: noRedirect}
	client, err := newClient(where, secret, o.client)
	if err != nil {
		return nil, err
	}
	o.container.Store(client)
	return o, nil
}

// SetCredentials uses other credentials from now on. An error names the setting, and then
// the present ones stay; another container or account is one.
func (o *Origin) SetCredentials(cfg Config) error {
	where, secret, err := cfg.parse()
	if err != nil {
		return err
	}
	if where != o.place {
		return errors.New("origin-azure-credentials: another account or container is used after a restart only")
	}
	client, err := newClient(where, secret, o.client)
	if err != nil {
		return err
	}
	o.container.Store(client)
	return nil
}

// Stop closes idle connections. It may be called twice.
func (o *Origin) Stop() { o.transport.CloseIdleConnections() }

// CloseIdleConnections closes connections that nothing uses.
func (o *Origin) CloseIdleConnections() { o.transport.CloseIdleConnections() }

// noRedirect makes a redirect an answer like any other. Blob storage sends none; a captive
// portal does.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// idleTimeout is how long an unused connection is kept.
const idleTimeout = 90 * time.Second

// blob is the client of a key's blob. A key that no blob can have is Invalid.
func (o *Origin) blob(key string) (*blob.Client, error) {
	name, err := o.place.blobName(key)
	if err != nil {
		return nil, err
	}
	return o.container.Load().NewBlobClient(name), nil
}

// Stat reads a blob's properties. A key that is refused is NotFound: no blob has it.
func (o *Origin) Stat(ctx context.Context, loc media.Location) (media.Object, error) {
	const op = "azure: stat"
	client, err := o.blob(loc.Key)
	if err != nil {
		return media.Object{}, media.Fault(media.NotFound, op, errors.Unwrap(err))
	}
	props, err := client.GetProperties(ctx, nil)
	if err != nil {
		return media.Object{}, fault(op, err)
	}
	if metadataValue(props.Metadata, markName) == markAborted {
		return media.Object{}, media.Faultf(media.NotFound, op, "an aborted upload")
	}
	return objectOf(op, loc.Key, props)
}

// objectOf is the object of a blob's properties.
func objectOf(op, key string, props blob.GetPropertiesResponse) (media.Object, error) {
	version := versionOf(props.VersionID, props.ETag)
	if version == "" || props.ContentLength == nil || *props.ContentLength < 0 {
		return media.Object{}, media.Faultf(media.Corrupt, op, "the answer has no version or no size")
	}
	if isDirectory(props.Metadata) {
		return media.Object{}, media.Faultf(media.NotFound, op, "the key is a directory's")
	}
	return media.Object{
		Provider: media.ProviderAzure, ID: key, Version: version, Size: *props.ContentLength,
		ContentType: value(props.ContentType), ModTime: value(props.LastModified).UTC(), Pinned: true,
	}, nil
}

// versionOf is a blob's version id, which the service sends where versioning is on, else its
// entity tag with its quotes; "" when the answer has neither.
func versionOf(versionID *string, etag *azcore.ETag) string {
	if id := value(versionID); id != "" {
		return id
	}
	return string(value(etag))
}

// isETag tells an entity tag from a version id, which is a time.
func isETag(version string) bool {
	return strings.HasPrefix(version, `"`) || strings.HasPrefix(version, "W/")
}

// isDirectory reports whether a blob stands for a directory, in accounts with a hierarchical
// namespace.
func isDirectory(metadata map[string]*string) bool {
	return metadataValue(metadata, "hdi_isfolder") == "true"
}

// metadataValue finds a value by a name without regard to case: HTTP headers have none.
func metadataValue(metadata map[string]*string, name string) string {
	for key, v := range metadata {
		if strings.EqualFold(key, name) {
			return value(v)
		}
	}
	return ""
}

// value is what a pointer of the SDK points to, or the zero value.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
