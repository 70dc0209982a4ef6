package content

import (
	"math/rand/v2"
	"testing"
)

func TestMatchesItsOwnBytesOnly(t *testing.T) {
	c, other := New(1<<20+17, 1), New(1<<20+17, 2)
	whole := make([]byte, c.Size())
	if n, err := c.ReadAt(whole, 0); n != len(whole) || err != nil {
		t.Fatal(n, err)
	}
	if !c.Matches(whole, 0) || other.Matches(whole, 0) {
		t.Fatal("two seeds have the same content")
	}
	for range 2000 {
		off := rand.Int64N(c.Size())
		n := rand.Int64N(min(c.Size()-off, 20_000)) + 1
		part := make([]byte, n)
		if got, _ := c.ReadAt(part, off); int64(got) != n || string(part) != string(whole[off:off+n]) {
			t.Fatalf("%d+%d: other bytes than in the whole", off, n)
		}
		if !c.Matches(part, off) {
			t.Fatalf("%d+%d does not match", off, n)
		}
		if n > 16 && (c.Matches(part, off+1) || off >= block && c.Matches(part[:n], off-block) && off%block+n > block) {
			t.Fatalf("%d+%d matches elsewhere", off, n)
		}
		part[rand.IntN(len(part))] ^= 1
		if c.Matches(part, off) {
			t.Fatalf("%d+%d: a flipped bit is not seen", off, n)
		}
	}
	if c.Matches(whole[:10], c.Size()-5) || c.Matches(whole[:10], -1) {
		t.Error("bytes outside of the file match")
	}
}
