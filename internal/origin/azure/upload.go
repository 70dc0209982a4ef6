package azure

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"golang.org/x/sync/errgroup"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/media"
)

// The SDK's own uploads cannot be resumed by another process. This file sends blocks and
// commits their list itself.
// https://learn.microsoft.com/rest/api/storageservices/put-block

const (
	// concurrentBlocks is how many blocks of a file are sent at a time.
	concurrentBlocks = 4
	// maxRounds bounds how often the blocks are gone through again when the service has lost
	// some.
	maxRounds = 3
)

// Put uploads the item's blocks that the service does not have yet, commits them, and
// returns what the service then says of the blob. The session is the item's key.
func (a *Archive) Put(ctx context.Context, item archive.Item) (archive.Stored, error) {
	const op = "azure: upload"
	client, err := a.blockBlob(item.Key)
	if err != nil {
		return archive.Stored{}, err
	}
	there, err := a.describe(ctx, item.Key)
	switch {
	case err == nil && there.mark != markAborted && there.Same(item.Size, item.MD5):
		return there.Stored, nil
	case err != nil && media.KindOf(err) != media.NotFound:
		return archive.Stored{}, err
	}
	f, err := os.Open(item.Path)
	if err != nil {
		return archive.Stored{}, media.Fault(media.Other, op, err)
	}
	defer f.Close()
	if item.Session != item.Key {
		if err := item.SaveSession(item.Key); err != nil {
			return archive.Stored{}, media.Fault(media.Other, op, err)
		}
	}
	u := upload{a: a, client: client, item: item, file: f, block: blockSizeFor(item.Size, a.block), only: conditions(there.etag)}
	if err := u.run(ctx); err != nil {
		return archive.Stored{}, err
	}
	return a.Stat(ctx, item.Key)
}

// conditions let a commit replace exactly the version that was there, or nothing.
func conditions(etag azcore.ETag) *blob.AccessConditions {
	only := &blob.ModifiedAccessConditions{IfMatch: &etag}
	if etag == "" {
		whatever := azcore.ETagAny
		only = &blob.ModifiedAccessConditions{IfNoneMatch: &whatever}
	}
	return &blob.AccessConditions{ModifiedAccessConditions: only}
}

// upload is one call of Put.
type upload struct {
	a      *Archive
	client *blockblob.Client
	item   archive.Item
	file   *os.File
	block  int64 // size of each block but the last, in bytes
	only   *blob.AccessConditions
}

// run sends and commits the blocks, and again where the service has lost one of them.
func (u *upload) run(ctx context.Context) error {
	for round := 1; ; round++ {
		ids, err := u.stageAll(ctx)
		if err != nil {
			return err
		}
		err = u.commit(ctx, ids)
		if media.ReasonOf(err) != string(bloberror.InvalidBlockList) || round == maxRounds {
			return err
		}
	}
}

// stageAll sends the blocks that the service does not have and returns the ids of all, in
// order. The file is read once for the checksums of each block and of the whole, and a
// block's bytes once more when they are sent, which the service compares with its checksum.
func (u *upload) stageAll(ctx context.Context) ([]blockID, error) {
	const op = "azure: upload"
	staged, err := u.a.staged(ctx, u.client)
	if err != nil {
		return nil, err
	}
	group, sending := errgroup.WithContext(ctx)
	group.SetLimit(concurrentBlocks)
	whole := md5.New()
	var ids []blockID
	for off := int64(0); off < u.item.Size && sending.Err() == nil; off += u.block {
		section := io.NewSectionReader(u.file, off, min(u.block, u.item.Size-off))
		one := md5.New()
		if _, err := io.CopyN(io.MultiWriter(whole, one), section, section.Size()); err != nil {
			return nil, errors.Join(media.Fault(media.Other, op, err), group.Wait())
		}
		id := blockID{index: len(ids), md5: [md5.Size]byte(one.Sum(nil)), sent: u.a.now()}
		if sent, ok := staged.find(id, section.Size()); ok {
			id.sent = sent
		} else {
			group.Go(func() error { return u.stage(sending, id, section) })
		}
		ids = append(ids, id)
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, media.Fault(media.KindOf(err), op, err)
	}
	if sum := hex.EncodeToString(whole.Sum(nil)); sum != u.item.MD5 {
		return nil, media.Faultf(media.Corrupt, op, "the file on disk has another checksum than it had")
	}
	return ids, nil
}

// stage sends one block. The service refuses it unless its bytes have the MD5 of its id.
func (u *upload) stage(ctx context.Context, id blockID, section *io.SectionReader) error {
	const op = "azure: put block"
	options := &blockblob.StageBlockOptions{TransactionalValidation: blob.TransferValidationTypeMD5(id.md5[:])}
	return u.a.withRetry(ctx, op, func() error {
		body := io.NewSectionReader(section, 0, section.Size())
		return archive.Send(ctx, op, body, func(ctx context.Context, body io.ReadSeekCloser) error {
			_, err := u.client.StageBlock(ctx, id.String(), body, options)
			return err
		})
	})
}

// commit makes the blocks the blob's content. When it fails and the blob has them
// nevertheless, the answer to an earlier try was lost.
func (u *upload) commit(ctx context.Context, ids []blockID) error {
	const op = "azure: put block list"
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = id.String()
	}
	options := &blockblob.CommitBlockListOptions{HTTPHeaders: u.headers(), Metadata: u.metadata(ids), AccessConditions: u.only}
	err := u.a.withRetry(ctx, op, func() error {
		_, err := u.client.CommitBlockList(ctx, names, options)
		return err
	})
	if err == nil || media.KindOf(err) != media.Changed {
		return err
	}
	there, statErr := u.a.Stat(ctx, u.item.Key)
	if statErr == nil && there.Same(u.item.Size, u.item.MD5) {
		return nil
	}
	return media.Faultf(media.Changed, op, "another upload has written the blob meanwhile")
}

// headers are the blob's. A name with letters beyond ASCII is coded by RFC 8187.
func (u *upload) headers() *blob.HTTPHeaders {
	sum, err := hex.DecodeString(u.item.MD5)
	if err != nil {
		sum = nil
	}
	out := &blob.HTTPHeaders{BlobContentMD5: sum}
	kind := u.item.ContentType()
	out.BlobContentType = &kind
	if u.item.Name != "" {
		if disposition := mime.FormatMediaType("inline", map[string]string{"filename": u.item.Name}); disposition != "" {
			out.BlobContentDisposition = &disposition
		}
	}
	return out
}

// metadata are the mark, what proves the Content-MD5, and the item's properties.
func (u *upload) metadata(ids []blockID) map[string]*string {
	list := make([]*blockblob.Block, len(ids))
	for i, id := range ids {
		name, size := id.String(), min(u.block, u.item.Size-int64(i)*u.block)
		list[i] = &blockblob.Block{Name: &name, Size: &size}
	}
	digest, _, _ := digestOf(list)
	mark := markRecording
	out := map[string]*string{markName: &mark, blocksName: &digest}
	for name, v := range u.item.Properties {
		if headerValue(v) {
			out[propertyPrefix+name] = &v
		}
	}
	return out
}

// headerValue reports whether a text can be a header's value as it is: metadata are headers.
func headerValue(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) && strings.TrimSpace(s) == s
}

// withRetry repeats a request while its fault passes. The error has a Kind.
func (a *Archive) withRetry(ctx context.Context, op string, request func() error) error {
	return a.retry.Do(ctx, op, func() error {
		if err := request(); err != nil {
			return fault(op, err)
		}
		return nil
	})
}
