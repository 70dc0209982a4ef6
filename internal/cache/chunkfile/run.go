package chunkfile

import "hash/crc32"

// Run is consecutive bytes of a chunk that arrive piece by piece. It computes the
// checksums of the blocks that it contains as they arrive, while the processor's cache
// still has the bytes. It is not safe for concurrent use.
type Run struct {
	chunk Chunk
	at    int64  // where the next piece begins
	sum   uint32 // of the block that at is in, so far
	whole bool   // the run has had that block from its first byte
	sums  [maxBlocks]uint32
	known Blocks // whose sums are complete
}

// NewRun returns a run of a chunk that begins at byte off.
func NewRun(c Chunk, off int64) Run { return Run{chunk: c, at: off} }

// Add adds the next piece. The run does not go beyond the chunk's length.
func (r *Run) Add(piece []byte) {
	size := BlockSize(r.chunk.Size)
	for len(piece) > 0 {
		b := r.at / size
		if r.at == b*size {
			r.sum, r.whole = 0, true
		}
		end := min((b+1)*size, r.chunk.Length)
		n := min(int64(len(piece)), end-r.at)
		if r.whole {
			r.sum = crc32.Update(r.sum, castagnoli, piece[:n])
		}
		if r.at += n; r.at == end && r.whole {
			r.sums[b] = r.sum
			r.known |= 1 << b
		}
		piece = piece[n:]
	}
}

// sumOf is the checksum of block b where one of the runs has it.
func sumOf(b int, runs []*Run) (sum uint32, known bool) {
	for _, r := range runs {
		if r.known&(1<<b) != 0 {
			return r.sums[b], true
		}
	}
	return 0, false
}
