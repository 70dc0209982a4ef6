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
type objectKey [32]byte

// placeSize is how much of an objectKey says where the object lies: what all its
// versions have in common.
const locationSize = 16

// identity is the full key of an object's chunks: all that makes bytes different
// must be in it, the chunk size too, because it decides where a chunk begins.
func identity(obj media.Object, chunkSize int64) string {
	return strings.Join([]string{obj.Provider, obj.ID, obj.Version, strconv.FormatInt(obj.Size, 10), strconv.FormatInt(chunkSize, 10)}, "\x00")
}

func keyOf(obj media.Object, chunkSize int64) objectKey {
	return keyOfIdentity(obj.Location(), identity(obj, chunkSize))
}

func keyOfIdentity(at media.Location, identity string) (k objectKey) {
	version := sha256.Sum256([]byte(identity))
	copy(k[:locationSize], locationDigest(at))
	copy(k[locationSize:], version[:])
	return k
}

// placeOf is the part of the key that all versions of what lies there share.
func locationDigest(at media.Location) []byte {
	place := sha256.Sum256([]byte(at.Provider + "\x00" + at.Key))
	return place[:locationSize]
}

// keyOfFolder reads folderName back.
func keyOfFolder(name string) (k objectKey, ok bool) {
	if len(name) != hex.EncodedLen(len(k)) {
		return k, false
	}
	n, err := hex.Decode(k[:], []byte(name))
	return k, err == nil && n == len(k) && k.folderName() == name
}

func (k objectKey) folderName() string { return hex.EncodeToString(k[:]) }

// folder is where the object's chunks lie below the cache's directory.
func (k objectKey) folder(dir string) string {
	return filepath.Join(dir, "chunks", k.folderName())
}

// path is where one of them lies.
func (k objectKey) path(dir string, index int64) string {
	return filepath.Join(k.folder(dir), chunkName(index))
}

// maxIndex is the last chunk index that the index of chunks can hold.
const maxIndex = 1<<32 - 1

// chunkName is the file name of a chunk within its object's folder.
func chunkName(index int64) string { return fmt.Sprintf("%08x.chunk", index) }

// indexOfName reads chunkName back.
func indexOfName(name string) (int64, bool) {
	digits, ok := strings.CutSuffix(name, ".chunk")
	if !ok {
		return 0, false
	}
	index, err := strconv.ParseInt(digits, 16, 64)
	return index, err == nil && index >= 0 && index <= maxIndex && chunkName(index) == name
}
