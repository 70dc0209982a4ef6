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

// objectKey names an object's folder: a digest of its location, then one of its
// version. The full identity stands in every chunk's header, where it is compared.
type objectKey [2 * locationSize]byte

// locationKey is the part of an objectKey that all versions of what a location
// holds share.
type locationKey [locationSize]byte

const locationSize = 16

func (k objectKey) location() locationKey { return locationKey(k[:locationSize]) }

// identity is the full key of an object's chunks: everything that makes bytes
// different, and the chunk size, which decides where a chunk begins. A verified copy has
// the chunks of its original.
func identity(obj media.Object, chunkSize int64) string {
	id := obj.Identity()
	return strings.Join([]string{id.Provider, id.ID, id.Version, strconv.FormatInt(obj.Size, 10), strconv.FormatInt(chunkSize, 10)}, "\x00")
}

func keyOf(obj media.Object, chunkSize int64) objectKey {
	return keyOfIdentity(obj.Identity().Location(), identity(obj, chunkSize))
}

func keyOfIdentity(at media.Location, identity string) (k objectKey) {
	location, version := locationKeyOf(at), sha256.Sum256([]byte(identity))
	copy(k[:locationSize], location[:])
	copy(k[locationSize:], version[:])
	return k
}

// identifiedBy reports whether a chunk file's identity belongs to the key.
func (k objectKey) identifiedBy(identity string) bool {
	provider, rest, ok := strings.Cut(identity, "\x00")
	id, _, _ := strings.Cut(rest, "\x00")
	return ok && keyOfIdentity(media.Location{Provider: provider, Key: id}, identity) == k
}

func locationKeyOf(at media.Location) locationKey {
	sum := sha256.Sum256([]byte(at.Provider + "\x00" + at.Key))
	return locationKey(sum[:locationSize])
}

// keyOfFolder parses folderName.
func keyOfFolder(name string) (k objectKey, ok bool) {
	if len(name) != hex.EncodedLen(len(k)) {
		return k, false
	}
	n, err := hex.Decode(k[:], []byte(name))
	return k, err == nil && n == len(k) && k.folderName() == name
}

func (k objectKey) folderName() string { return hex.EncodeToString(k[:]) }

// folder is the path of the object's chunks below the cache's directory.
func (k objectKey) folder(dir string) string {
	return filepath.Join(dir, "chunks", k.folderName())
}

// path is the path of one of its chunk files.
func (k objectKey) path(dir string, index int64) string {
	return filepath.Join(k.folder(dir), chunkName(index))
}

// maxKnownKeys bounds the known keys: some 200 bytes each.
const maxKnownKeys = 4096

// keyed is what a key depends on beside the chunk size.
type keyed struct {
	identity media.Identity
	size     int64
}

// knownKeys are keys of objects that were opened: the digests of a key cost more than the
// rest of opening a reader. Guarded by Cache.mu.
type knownKeys map[keyed]objectKey

func (k knownKeys) get(obj media.Object) (objectKey, bool) {
	key, ok := k[keyed{obj.Identity(), obj.Size}]
	return key, ok
}

// add forgets all others when there are too many: those in use come back soon.
func (k knownKeys) add(obj media.Object, key objectKey) {
	if len(k) >= maxKnownKeys {
		clear(k)
	}
	k[keyed{obj.Identity(), obj.Size}] = key
}

// maxIndex is the highest chunk index that the index can hold.
const maxIndex = 1<<32 - 1

// chunkName is the file name of a chunk within its object's folder.
func chunkName(index int64) string { return fmt.Sprintf("%08x.chunk", index) }

// indexOfName parses chunkName.
func indexOfName(name string) (int64, bool) {
	digits, ok := strings.CutSuffix(name, ".chunk")
	if !ok {
		return 0, false
	}
	index, err := strconv.ParseInt(digits, 16, 64)
	return index, err == nil && index >= 0 && index <= maxIndex && chunkName(index) == name
}
