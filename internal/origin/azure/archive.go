package azure

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"path"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
)

// The metadata of what Put writes. Names are C# identifiers, as the service demands.
const (
	// markName has markRecording for what List lists, and markAborted for the empty blob that
	// takes the place of an aborted upload until it is deleted.
	markName      = "lectern"
	markRecording = "recording"
	markAborted   = "aborted"
	// blocksName has the digest of the blocks that the blob was committed from.
	blocksName = "lectern_blocks"
	// propertyPrefix is in front of the names of an item's properties.
	propertyPrefix = "lectern_p_"
)

// Archive puts recordings into the container. It implements archive.Archive,
// archive.Identifier and archive.UploadAborter.
type Archive struct {
	*Origin
	// block is the size of a block in bytes, of files that need no larger ones.
	block int64
	retry archive.Retry
	now   func() time.Time
}

// NewArchive makes the writing side of an origin; stopping it is the origin's.
func NewArchive(o *Origin) *Archive {
	return &Archive{Origin: o, block: blockSize, retry: archive.DefaultRetry, now: time.Now}
}

// SetBlockSize changes the size of blocks from 16 MiB, before the first use: uploads of tests
// have several blocks and are small.
func (a *Archive) SetBlockSize(bytes int64) { a.block = bytes }

// Provider implements archive.Archive.
func (a *Archive) Provider() string { return media.ProviderAzure }

// NewKey returns lessons/YEAR/HINT-RANDOM.mp4, or with the extension of the hint.
func (a *Archive) NewKey(_ context.Context, hint string) (string, error) {
	key := path.Join("lessons", a.now().UTC().Format("2006"), archive.KeyName(hint))
	if _, err := a.place.blobName(key); err != nil {
		return "", err
	}
	return key, nil
}

func (a *Archive) blockBlob(key string) (*blockblob.Client, error) {
	name, err := a.place.blobName(key)
	if err != nil {
		return nil, err
	}
	return a.container.Load().NewBlockBlobClient(name), nil
}

// described is a blob as the service describes it.
type described struct {
	archive.Stored
	etag azcore.ETag
	mark string
}

// Stat implements archive.Archive. An aborted upload's empty blob is NotFound.
func (a *Archive) Stat(ctx context.Context, key string) (archive.Stored, error) {
	d, err := a.describe(ctx, key)
	if err == nil && d.mark == markAborted {
		err = media.Faultf(media.NotFound, "azure: stat in the archive", "an aborted upload")
	}
	if err != nil {
		return archive.Stored{}, err
	}
	return d.Stored, nil
}

// describe reads a blob's properties, and its committed blocks where its metadata claims a
// checksum of what they hold.
func (a *Archive) describe(ctx context.Context, key string) (described, error) {
	const op = "azure: stat in the archive"
	client, err := a.blockBlob(key)
	if err != nil {
		return described{}, media.Fault(media.NotFound, op, errors.Unwrap(err))
	}
	var props blob.GetPropertiesResponse
	err = a.withRetry(ctx, op, func() (err error) {
		props, err = client.GetProperties(ctx, nil)
		return err
	})
	if err != nil {
		return described{}, err
	}
	obj, err := objectOf(op, key, props)
	if err != nil {
		return described{}, err
	}
	d := described{
		Stored: archive.Stored{Key: key, Size: obj.Size, Version: obj.Version},
		etag:   value(props.ETag), mark: metadataValue(props.Metadata, markName),
	}
	d.MD5, err = a.provenMD5(ctx, client, d.etag, props)
	return d, err
}

// provenMD5 is the MD5 that a blob's Content-MD5 claims, if its blocks prove it. The service
// keeps that property as it is given for a blob of blocks, but verifies each block's MD5 when
// it takes it, and an id of a block holds that MD5. The metadata binds the list of ids to the
// property: Put has computed both from the same bytes in one pass.
func (a *Archive) provenMD5(ctx context.Context, client *blockblob.Client, etag azcore.ETag, props blob.GetPropertiesResponse) (string, error) {
	claim := archive.Claim{MD5: hex.EncodeToString(props.ContentMD5), Checksums: map[string]string{blocksName: metadataValue(props.Metadata, blocksName)}}
	if claim.MD5 == "" || claim.Checksums[blocksName] == "" {
		return "", nil
	}
	var list blockblob.GetBlockListResponse
	err := a.withRetry(ctx, "azure: list blocks", func() (err error) {
		list, err = client.GetBlockList(ctx, blockblob.BlockListTypeCommitted, nil)
		return err
	})
	if err != nil {
		return "", err
	}
	if value(list.ETag) != etag {
		return "", media.Faultf(media.Changed, "azure: list blocks", "the blob was replaced meanwhile")
	}
	digest, size, ok := digestOf(list.CommittedBlocks)
	if !ok || size != value(props.ContentLength) {
		return "", nil
	}
	return claim.Proven(map[string]string{blocksName: digest}), nil
}

// Identify implements archive.Identifier.
func (a *Archive) Identify(ctx context.Context, key string) (obj media.Object, err error) {
	err = a.withRetry(ctx, "azure: identify", func() (err error) {
		obj, err = a.Origin.Stat(ctx, media.Location{Provider: media.ProviderAzure, Key: key})
		return err
	})
	return obj, err
}

// Open reads a blob in bounded ranges, all of one version.
func (a *Archive) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	obj, err := a.Identify(ctx, key)
	if err != nil {
		return nil, err
	}
	return origin.ReadWhole(ctx, a.Origin, obj, a.block), nil
}

// Remove deletes a blob and its snapshots. Where the container has versions, the service
// keeps them until a lifecycle rule of the account deletes them.
func (a *Archive) Remove(ctx context.Context, key string) error {
	client, err := a.blob(key)
	if err != nil {
		return nil // no blob can have such a key
	}
	return a.deleteBlob(ctx, client, nil)
}

// deleteBlob deletes a blob, with an etag only that version of it. One that is not there is
// no error.
func (a *Archive) deleteBlob(ctx context.Context, client *blob.Client, etag *azcore.ETag) error {
	snapshots := blob.DeleteSnapshotsOptionTypeInclude
	options := &blob.DeleteOptions{DeleteSnapshots: &snapshots}
	if etag != nil {
		options.AccessConditions = &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: etag}}
	}
	err := a.withRetry(ctx, "azure: remove", func() error {
		_, err := client.Delete(ctx, options)
		return err
	})
	if media.KindOf(err) == media.NotFound {
		return nil
	}
	return err
}

// List lists the blobs with the archive's mark. Versions and checksums are left out: a
// listing has no version ids, and a checksum costs a request.
func (a *Archive) List(ctx context.Context, each func(archive.Stored) error) error {
	include := container.ListBlobsInclude{Metadata: true}
	return a.list(ctx, include, func(item *container.BlobItem) error {
		if metadataValue(item.Metadata, markName) != markRecording || item.Properties == nil {
			return nil
		}
		return each(archive.Stored{Key: strings.TrimPrefix(value(item.Name), a.place.prefix), Size: value(item.Properties.ContentLength)})
	})
}

// list calls each for every blob below the prefix.
func (a *Archive) list(ctx context.Context, include container.ListBlobsInclude, each func(*container.BlobItem) error) error {
	const op = "azure: list the archive"
	pager := a.container.Load().NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &a.place.prefix, Include: include})
	for pager.More() {
		var page container.ListBlobsFlatResponse
		err := a.withRetry(ctx, op, func() (err error) {
			page, err = pager.NextPage(ctx)
			return err
		})
		if err != nil {
			return err
		}
		if page.Segment == nil {
			return media.Faultf(media.Corrupt, op, "the answer holds no list")
		}
		for _, item := range page.Segment.BlobItems {
			if err := each(item); err != nil {
				return err
			}
		}
	}
	return nil
}
