package eviction

import "testing"

// TestPolicy: the cache's policy keeps more of what people watch than S3-FIFO
// does, and a downloader does not take it away as it does with LRU.
func TestPolicy(t *testing.T) {
	for seed := uint64(1); seed <= 2; seed++ {
		trace := DefaultTrace(seed)
		trace.Requests = 400_000
		r := Run(trace, 10, Policies[:3])
		t.Logf("seed %d: %+v", seed, r)
		lru, s3, ours := r[0], r[1], r[2]
		if ours.Hits < s3.Hits {
			t.Errorf("seed %d: byte hit ratio %.4f, S3-FIFO's is %.4f", seed, ours.Hits, s3.Hits)
		}
		if ours.Hits < lru.Hits+0.10 {
			t.Errorf("seed %d: byte hit ratio %.4f, LRU's is %.4f: less than ten points over it", seed, ours.Hits, lru.Hits)
		}
		if ours.Written > 0.3 {
			t.Errorf("seed %d: %.2f bytes were written for each byte served", seed, ours.Written)
		}
		if ours.Openings < s3.Openings {
			t.Errorf("seed %d: %.4f of heads and tails were there, with S3-FIFO %.4f", seed, ours.Openings, s3.Openings)
		}
	}
}

// TestOptimum: nothing has more of the bytes, or writes less, than what knows the future.
func TestOptimum(t *testing.T) {
	trace := DefaultTrace(1)
	trace.Requests = 60_000
	r := Run(trace, 10, Policies)
	best := r[len(r)-1]
	t.Logf("%+v", r)
	for _, other := range r[:len(r)-1] {
		if other.Hits >= best.Hits || other.Written <= best.Written {
			t.Errorf("%s has %.4f of the bytes and wrote %.4f, the optimum %.4f and %.4f", other.Policy, other.Hits, other.Written, best.Hits, best.Written)
		}
		if other.Hits == 0 {
			t.Errorf("%s keeps nothing", other.Policy)
		}
	}
}

// TestRivals: the references do what their papers say on traces small enough to
// follow by hand.
func TestRivals(t *testing.T) {
	ask := func(c Cache, names ...uint64) (hits string) {
		for _, n := range names {
			if hit, _ := c.Access(n, Request{}); hit {
				hits += "+"
			} else {
				hits += "-"
			}
		}
		return hits
	}
	if got := ask(NewLRU(2), 1, 2, 1, 3, 1, 2); got != "--+-+-" {
		t.Errorf("LRU: %s", got)
	}
	// Two uses in the small queue move 1 to the main one, past a crawl; a ghost
	// that comes back enters the main queue at once.
	c := NewS3FIFO(10)
	ask(c, 1, 1, 1)
	for n := uint64(100); n < 200; n++ {
		ask(c, n)
	}
	if got := ask(c, 1, 190, 189); got != "+--" && got != "++-" {
		t.Errorf("S3-FIFO after a crawl: %s", got)
	}
	ask(c, 180) // a ghost still
	for n := uint64(300); n < 340; n++ {
		ask(c, n)
	}
	if got := ask(c, 1); got != "+" {
		t.Errorf("S3-FIFO after two crawls: %s", got)
	}
}

// TestBelady follows the optimum by hand: of two chunks the one that is needed latest is not
// kept, also when it is the one that came.
func TestBelady(t *testing.T) {
	names := []uint64{1, 2, 3, 1, 2, 3, 3, 4, 1}
	c := NewBelady(2, names)
	var got string
	for _, n := range names {
		switch hit, written := c.Access(n, Request{}); {
		case hit:
			got += "+"
		case written:
			got += "w"
		default:
			got += "-"
		}
	}
	// 3 comes while 1 and 2 are needed earlier; at its second request 2 is not needed any more.
	if got != "ww-++w+-+" {
		t.Errorf("%s", got)
	}
}

// TestTrace: the same seed is the same trace, and it is what it says it is.
func TestTrace(t *testing.T) {
	trace := DefaultTrace(7)
	trace.Requests = 100_000
	var one, two []Request
	total := trace.Play(func(r Request) { one = append(one, r) })
	trace.Play(func(r Request) { two = append(two, r) })
	if len(one) != trace.Requests || total < trace.Archive*trace.Chunks {
		t.Fatalf("%d requests over %d chunks", len(one), total)
	}
	for i, r := range one {
		if r != two[i] {
			t.Fatalf("request %d: %v and %v", i, r, two[i])
		}
		if r.Chunk < 0 || r.Chunk > r.Last {
			t.Fatalf("request %d: %+v", i, r)
		}
	}
}
