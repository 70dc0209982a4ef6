package auth

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

// maxVerifiedTokens bounds the memory to about 4 MB. A class of viewers needs a
// few tokens each.
const maxVerifiedTokens = 20_000

// tokenDigest stands for a token, so that the secret itself is not kept.
type tokenDigest [sha256.Size]byte

// digestOf copies a token of usual length to the stack: a conversion would
// allocate with every request.
func digestOf(token string) tokenDigest {
	var usual [1 << 10]byte
	return sha256.Sum256(append(usual[:0], token...))
}

// verifiedTokens remembers tokens whose signature held. It may lose any of them
// without harm: they are verified again.
type verifiedTokens struct {
	cache  *ristretto.Cache[uint64, verifiedToken]
	closed sync.Once
}

// verifiedToken has the whole digest beside the claims: the cache's own key is
// short enough for collisions to be made on purpose.
type verifiedToken struct {
	digest tokenDigest
	claims Claims
}

func newVerifiedTokens(most int64) (*verifiedTokens, error) {
	cache, err := ristretto.NewCache(&ristretto.Config[uint64, verifiedToken]{
		NumCounters: 10 * most, MaxCost: most, BufferItems: 64, IgnoreInternalCost: true,
	})
	if err != nil {
		return nil, err
	}
	return &verifiedTokens{cache: cache}, nil
}

func (d tokenDigest) key() uint64 { return binary.LittleEndian.Uint64(d[:]) }

// get finds the claims of a token verified before. Whether they are still good
// is the caller's question.
func (c *verifiedTokens) get(digest tokenDigest) (Claims, bool) {
	known, ok := c.cache.Get(digest.key())
	if !ok || known.digest != digest {
		return Claims{}, false
	}
	return known.claims, true
}

// put remembers a token until it expires, if there is room.
func (c *verifiedTokens) put(digest tokenDigest, claims Claims, now time.Time) {
	// With a leeway a token can be good when its time is over; a second will do.
	c.cache.SetWithTTL(digest.key(), verifiedToken{digest, claims}, 1, max(time.Second, claims.Expires.Sub(now)))
}

func (c *verifiedTokens) close() { c.closed.Do(c.cache.Close) }
