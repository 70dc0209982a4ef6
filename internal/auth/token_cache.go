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

// tokenDigest is the key of a token, so that the secret itself is not kept.
type tokenDigest [sha256.Size]byte

// digestOf copies a token of usual length to the stack: a conversion would
// allocate with every request.
func digestOf(token string) tokenDigest {
	var usual [1 << 10]byte
	return sha256.Sum256(append(usual[:0], token...))
}

// verifiedTokens caches tokens whose signature was verified. An evicted token is verified
// again.
type verifiedTokens struct {
	cache  *ristretto.Cache[uint64, verifiedToken]
	closed sync.Once
}

// verifiedToken holds the whole digest with the claims: the cache's own key is short enough
// for an attacker to find collisions.
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

// get looks up the claims of a token that was verified before. The caller checks that they
// are still valid.
func (c *verifiedTokens) get(digest tokenDigest) (Claims, bool) {
	known, ok := c.cache.Get(digest.key())
	if !ok || known.digest != digest {
		return Claims{}, false
	}
	return known.claims, true
}

// put caches a token until it expires, if there is room.
func (c *verifiedTokens) put(digest tokenDigest, claims Claims, now time.Time) {
	// With a leeway a token can be valid after exp; it is cached for a second then.
	c.cache.SetWithTTL(digest.key(), verifiedToken{digest, claims}, 1, max(time.Second, claims.Expires.Sub(now)))
}

func (c *verifiedTokens) close() { c.closed.Do(c.cache.Close) }
