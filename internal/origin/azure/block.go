package azure

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
)

const (
	// blockSize is the size of a block in bytes. A lost connection costs at most this much
	// for each of the blocks that are under way.
	blockSize = 16 << 20
	// maxBlocks is how many blocks a blob can have.
	// https://learn.microsoft.com/azure/storage/blobs/scalability-targets
	maxBlocks = 50_000
	// maxBlockSize is the size of the largest block that the service takes, in bytes.
	maxBlockSize = 4000 << 20
)

// blockSizeFor is the size of the blocks of a file: least, or the least whole number of MiB
// with which maxBlocks are enough.
func blockSizeFor(size, least int64) int64 {
	const mib = 1 << 20
	needed := (size + maxBlocks - 1) / maxBlocks
	if needed <= least {
		return least
	}
	return (needed + mib - 1) / mib * mib
}

// blockID names a block by what it holds and when it was sent. A list of the
// blocks of an unfinished upload then says which need not be sent again, and how old it is:
// the service states neither.
type blockID struct {
	index int
	md5   [md5.Size]byte
	sent  time.Time // to the second
}

// idPrefix begins each id of ours. Ids of one blob have one length.
const idPrefix = "lectern1"

// String is the id as the API has it, in base64.
func (b blockID) String() string {
	text := fmt.Sprintf("%s-%05d-%x-%010d", idPrefix, b.index, b.md5, b.sent.Unix())
	return base64.StdEncoding.EncodeToString([]byte(text))
}

// parseBlockID is the inverse of String; ok is false for ids that are not ours.
func parseBlockID(text string) (b blockID, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(text)
	parts := strings.Split(string(raw), "-")
	if err != nil || len(parts) != 4 || parts[0] != idPrefix {
		return blockID{}, false
	}
	index, err := strconv.ParseUint(parts[1], 10, 31)
	if err != nil {
		return blockID{}, false
	}
	sent, err := strconv.ParseUint(parts[3], 10, 62)
	if err != nil {
		return blockID{}, false
	}
	b.index, b.sent = int(index), time.Unix(int64(sent), 0)
	if n, err := hex.Decode(b.md5[:], []byte(parts[2])); err != nil || n != len(b.md5) {
		return blockID{}, false
	}
	return b, b.String() == text
}

// digestOf is a checksum of a list of blocks with their ids and sizes in order, and the sum
// of their sizes. ok is false for a list with a block that is not ours or not at its place.
func digestOf(list []*blockblob.Block) (digest string, size int64, ok bool) {
	sum := sha256.New()
	for i, block := range list {
		id, ours := parseBlockID(value(block.Name))
		if !ours || id.index != i {
			return "", 0, false
		}
		fmt.Fprintf(sum, "%s %d\n", value(block.Name), value(block.Size))
		size += value(block.Size)
	}
	return hex.EncodeToString(sum.Sum(nil)), size, true
}
