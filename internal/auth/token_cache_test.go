package auth

import (
	"testing"
	"time"
)

// TestTokensAreApart: the cache has each token under a key of its own.
func TestTokensAreApart(t *testing.T) {
	c, err := newVerifiedTokens(100)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for user, token := range map[int64]string{1: "one", 2: "two", 3: "three"} {
		c.put(digestOf(token), Claims{User: user, Expires: noon.Add(time.Hour)}, noon)
	}
	c.cache.Wait()
	for user, token := range map[int64]string{1: "one", 2: "two", 3: "three"} {
		if claims, ok := c.get(digestOf(token)); !ok || claims.User != user {
			t.Errorf("%s: user %d, %t", token, claims.User, ok)
		}
	}
	if claims, ok := c.get(digestOf("four")); ok {
		t.Errorf("four: user %d", claims.User)
	}
}
