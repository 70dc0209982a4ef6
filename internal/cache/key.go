package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/lectiospace/lectern/internal/media"
)

// objectKey names an object's folder: a digest of where it lies, then one of its
// version. The full key stands in every chunk's header, where it is compared.
type objectKey string

// identity is the full key of an object's chunks: all that makes bytes different
// must be in it, the chunk size too, because it decides where a chunk begins.
func identity(obj media.Object, chunkSize int64) string {
	return strings.Join([]string{obj.Provider, obj.ID, obj.Version, strconv.FormatInt(obj.Size, 10), strconv.FormatInt(chunkSize, 10)}, "\x00")
}

func keyOf(obj media.Object, chunkSize int64) objectKey {
	place := sha256.Sum256([]byte(obj.Provider + "\x00" + obj.ID))
	version := sha256.Sum256([]byte(identity(obj, chunkSize)))
	a, b := hex.EncodeToString(place[:16]), hex.EncodeToString(version[:16])
	return objectKey(a[:2] + "/" + a + "/" + b)
}

// chunkName is the file name of a chunk within its object's folder.
func chunkName(index int64) string { return fmt.Sprintf("%08x.chunk", index) }

// indexOfName reads chunkName back.
func indexOfName(name string) (int64, bool) {
	digits, ok := strings.CutSuffix(name, ".chunk")
	if !ok {
		return 0, false
	}
	index, err := strconv.ParseInt(digits, 16, 64)
	return index, err == nil && index >= 0 && chunkName(index) == name
}

// path is where a chunk of the object lies below the cache's directory.
func (k objectKey) path(dir string, index int64) string {
	return filepath.Join(dir, "chunks", filepath.FromSlash(string(k)), chunkName(index))
}
