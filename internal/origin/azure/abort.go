package azure

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/lectiospace/lectern/internal/media"
)

// The service has no request that deletes uncommitted blocks; it drops them a week after the
// last one came. Committing an empty list drops them at once, and makes an empty blob, which
// is then deleted. Both are done under conditions: no blob that exists is touched. Blocks
// that were sent to replace a blob therefore stay until the next upload to its key, or for
// the week.

// AbortUpload implements archive.UploadAborter. The session is a key.
func (a *Archive) AbortUpload(ctx context.Context, session string) error {
	client, err := a.blockBlob(session)
	if err != nil {
		return nil // no upload can have such a key
	}
	there, err := a.describe(ctx, session)
	switch {
	case err == nil && there.mark == markAborted:
		return a.deleteAborted(ctx, client, there.etag)
	case err == nil:
		return nil // complete, or another version of what is there
	case media.KindOf(err) != media.NotFound:
		return err
	}
	blocks, err := a.staged(ctx, client)
	if err != nil || blocks.empty() || blocks.foreign > 0 {
		return err
	}
	return a.dropBlocks(ctx, client)
}

// dropBlocks deletes the uncommitted blocks of a blob that does not exist.
func (a *Archive) dropBlocks(ctx context.Context, client *blockblob.Client) error {
	mark := markAborted
	options := &blockblob.CommitBlockListOptions{Metadata: map[string]*string{markName: &mark}, AccessConditions: conditions("")}
	var committed blockblob.CommitBlockListResponse
	err := a.withRetry(ctx, "azure: abort upload", func() (err error) {
		committed, err = client.CommitBlockList(ctx, nil, options)
		return err
	})
	if media.KindOf(err) == media.Changed {
		return nil // committed meanwhile: nothing is left to abort
	}
	if err != nil {
		return err
	}
	return a.deleteAborted(ctx, client, value(committed.ETag))
}

// deleteAborted deletes the empty blob of an aborted upload, unless another one has
// replaced it.
func (a *Archive) deleteAborted(ctx context.Context, client *blockblob.Client, etag azcore.ETag) error {
	if etag == "" {
		return media.Faultf(media.Corrupt, "azure: abort upload", "the answer has no entity tag")
	}
	err := a.deleteBlob(ctx, client.BlobClient(), &etag)
	if media.KindOf(err) == media.Changed {
		return nil
	}
	return err
}

// AbortStale implements archive.UploadAborter. It lists the container with its uncommitted
// blobs and reads the blocks of those that are empty: an id says when its block was sent. An
// upload that somebody else has begun in another way is left alone.
func (a *Archive) AbortStale(ctx context.Context, since time.Time) (aborted int, err error) {
	include := container.ListBlobsInclude{Metadata: true, UncommittedBlobs: true}
	var faults error
	err = a.list(ctx, include, func(item *container.BlobItem) error {
		if item.Properties == nil || value(item.Properties.ContentLength) != 0 {
			return nil
		}
		key := strings.TrimPrefix(value(item.Name), a.place.prefix)
		stale, err := a.isStale(ctx, key, item, since)
		if err == nil && stale {
			err = a.AbortUpload(ctx, key)
		}
		if err == nil && stale {
			aborted++
		}
		faults = errors.Join(faults, err)
		return ctx.Err()
	})
	return aborted, errors.Join(faults, err)
}

// isStale reports whether an empty blob is what an upload has left that has not gone on
// since a time.
func (a *Archive) isStale(ctx context.Context, key string, item *container.BlobItem, since time.Time) (bool, error) {
	switch metadataValue(item.Metadata, markName) {
	case markAborted:
		return value(item.Properties.LastModified).Before(since), nil
	case markRecording:
		return false, nil
	}
	client, err := a.blockBlob(key)
	if err != nil {
		return false, nil // not a key of ours
	}
	blocks, err := a.staged(ctx, client)
	return err == nil && !blocks.empty() && blocks.foreign == 0 && blocks.newest.Before(since), err
}
