// Package eviction simulates eviction policies of the chunk cache on synthetic traces of
// a school's viewers: the cache's own policy, driven as the cache drives it, LRU and
// S3-FIFO.
package eviction

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Trace describes the requests to a cache. The zero value of a field is not useful;
// DefaultTrace has sensible ones.
//
// Lessons are runs of chunks. Some are old, one is published every PublishEvery
// requests. Viewers come in sessions, Sessions of them at a time, each asking for
// the next chunk when its turn comes. A session opens a lesson as a player does:
// its head, its tail (where an MP4's index may be), then chunks in order from the
// beginning or, as often as not, from where somebody left off; it seeks now and
// then and most leave before the end. Fresh of 100 sessions choose among the
// lessons of the last Week, the newer the likelier; the others by a Zipf law of
// exponent Skew over all lessons, whose ranks have nothing to do with age. Crawl
// of 100 requests are those of one downloader, who fetches the archive from the
// oldest lesson to the newest, each chunk once, and begins again at the end.
type Trace struct {
	Seed         uint64
	Requests     int
	Archive      int     // lessons at the start
	PublishEvery int     // requests between two new lessons
	Chunks       int     // of a lesson, at the median
	Sessions     int     // viewers at a time
	Fresh        int     // percent of sessions
	Week         int     // lessons that count as fresh
	Skew         float64 // of the Zipf law
	Crawl        int     // percent of requests
}

// DefaultTrace is the trace of the report: two weeks in which a third of all bytes go to
// a downloader.
func DefaultTrace(seed uint64) Trace {
	return Trace{Seed: seed, Requests: 1_500_000, Archive: 700, PublishEvery: 10_000, Chunks: 240, Sessions: 60, Fresh: 70, Week: 40, Skew: 0.9, Crawl: 33}
}

// Request is one chunk that is asked for.
type Request struct {
	Lesson, Chunk int
	// Last is the lesson's last chunk.
	Last int
}

// session is a viewer in the middle of a lesson.
type session struct {
	lesson, at, until int
	opening           int // 2: the head is next, 1: the tail
}

// Play makes the requests, one after the other, and returns how many chunks the
// lessons have together at the end.
func (t Trace) Play(access func(Request)) (total int) {
	r := rand.New(rand.NewPCG(t.Seed, 0x1ec7))
	var lengths, ranks []int
	publish := func() {
		n := int(float64(t.Chunks) * math.Exp(r.NormFloat64()*0.4))
		lengths = append(lengths, max(8, n))
		ranks = slices.Insert(ranks, r.IntN(len(ranks)+1), len(lengths)-1)
		total += lengths[len(lengths)-1]
	}
	for range t.Archive {
		publish()
	}
	weights := zipf(t.Archive+t.Requests/t.PublishEvery+1, t.Skew)
	recent := zipf(t.Week, 0.7)
	choose := func() int {
		if r.IntN(100) < t.Fresh {
			return len(lengths) - 1 - draw(r, recent[:min(t.Week, len(lengths))])
		}
		return ranks[draw(r, weights[:len(ranks)])]
	}
	open := func() session {
		s := session{lesson: choose(), opening: 2}
		n := lengths[s.lesson]
		if r.IntN(2) == 0 {
			s.at = r.IntN(n)
		}
		s.until = min(n, s.at+1+int(r.ExpFloat64()*0.4*float64(n)))
		return s
	}
	sessions := make([]session, t.Sessions)
	for i := range sessions {
		sessions[i] = open()
	}
	crawled, crawledAt := 0, 0
	for i := range t.Requests {
		if i > 0 && i%t.PublishEvery == 0 {
			publish()
		}
		if r.IntN(100) < t.Crawl {
			access(Request{crawled, crawledAt, lengths[crawled] - 1})
			if crawledAt++; crawledAt == lengths[crawled] {
				crawledAt, crawled = 0, (crawled+1)%len(lengths)
			}
			continue
		}
		s := &sessions[r.IntN(len(sessions))]
		last := lengths[s.lesson] - 1
		switch {
		case s.opening == 2:
			access(Request{s.lesson, 0, last})
			s.opening--
			continue
		case s.opening == 1:
			access(Request{s.lesson, last, last})
			s.opening--
			continue
		}
		access(Request{s.lesson, s.at, last})
		s.at++
		if s.at < s.until && r.IntN(80) == 0 {
			s.at = r.IntN(last + 1) // a seek
			s.until = min(last+1, s.at+1+int(r.ExpFloat64()*0.3*float64(last+1)))
		}
		if s.at >= s.until {
			*s = open()
		}
	}
	return total
}

// zipf is the running sum of 1/k^skew.
func zipf(n int, skew float64) []float64 {
	sums, sum := make([]float64, n), 0.0
	for k := range sums {
		sum += 1 / math.Pow(float64(k+1), skew)
		sums[k] = sum
	}
	return sums
}

// draw chooses a rank by the running sums.
func draw(r *rand.Rand, sums []float64) int {
	x := r.Float64() * sums[len(sums)-1]
	i, _ := slices.BinarySearch(sums, x)
	return min(i, len(sums)-1)
}
