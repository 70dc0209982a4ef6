package chunkfile

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// TestRunsMakeTheSameHeader: whatever pieces a chunk arrives in, and in however many runs, its header is
// that of the whole data; blocks that lie within one run are not computed again.
func TestRunsMakeTheSameHeader(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.Int64Range(1, 5000).Draw(rt, "chunk size")
		c := Chunk{Index: 3, Length: rapid.Int64Range(1, size).Draw(rt, "length"), Size: size}
		data := make([]byte, c.Length)
		_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
		var runs []*Run
		for at := int64(0); at < c.Length; {
			run := NewRun(c, at)
			end := rapid.Int64Range(at+1, c.Length).Draw(rt, "end of a run")
			for at < end {
				n := rapid.Int64Range(1, end-at).Draw(rt, "piece")
				run.Add(data[at : at+n])
				at += n
			}
			runs = append(runs, &run)
		}
		want := c.Header("id", data)
		if !bytes.Equal(c.Header("id", data, runs...), want) {
			rt.Fatal("the header differs from that of the whole data")
		}
		if len(runs) == 1 && !bytes.Equal(c.Header("id", make([]byte, c.Length), runs...), want) {
			rt.Fatal("a checksum that the run has was computed again")
		}
	})
}
