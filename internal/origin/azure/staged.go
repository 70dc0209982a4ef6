package azure

import (
	"context"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/lectiospace/lectern/internal/media"
)

// staged are the uncommitted blocks of a blob.
type staged struct {
	sent   map[stagedBlock]time.Time
	newest time.Time
	// foreign is how many are not named as ours are.
	foreign int
}

// stagedBlock is what makes a block the same.
type stagedBlock struct {
	index int
	md5   [16]byte
	size  int64
}

// find is when a block was sent, if it was. The size is part of what makes it the same: a
// service that keeps less than it was sent has not kept the block.
func (s staged) find(id blockID, size int64) (sent time.Time, ok bool) {
	sent, ok = s.sent[stagedBlock{id.index, id.md5, size}]
	return sent, ok
}

// empty reports whether there are no blocks at all.
func (s staged) empty() bool { return len(s.sent) == 0 && s.foreign == 0 }

// staged lists the uncommitted blocks of a blob. A blob that does not exist has none.
func (a *Archive) staged(ctx context.Context, client *blockblob.Client) (staged, error) {
	out := staged{sent: map[stagedBlock]time.Time{}}
	var list blockblob.GetBlockListResponse
	err := a.withRetry(ctx, "azure: list blocks", func() (err error) {
		list, err = client.GetBlockList(ctx, blockblob.BlockListTypeUncommitted, nil)
		return err
	})
	if media.KindOf(err) == media.NotFound {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	for _, block := range list.UncommittedBlocks {
		id, ours := parseBlockID(value(block.Name))
		if !ours {
			out.foreign++
			continue
		}
		out.sent[stagedBlock{id.index, id.md5, value(block.Size)}] = id.sent
		if id.sent.After(out.newest) {
			out.newest = id.sent
		}
	}
	return out, nil
}
