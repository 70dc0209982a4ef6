package archive

import (
	"crypto/rand"
	"path"
	"strings"
)

// KeyName is the last element of a key that nobody uses, for archives with readable keys: the
// hint and a random text. A hint that ends in an extension gives the name that extension;
// others are of videos.
func KeyName(hint string) string {
	ext := path.Ext(hint)
	if ext == "" {
		ext = ".mp4"
	}
	return strings.TrimSuffix(hint, ext) + "-" + strings.ToLower(rand.Text()[:10]) + ext
}
