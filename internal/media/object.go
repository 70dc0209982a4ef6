package media

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// Provider names as the catalog stores them in storage_provider.
const (
	ProviderLocal = "local"
	ProviderDrive = "gdrive"
	ProviderS3    = "s3"
	ProviderAzure = "azure"
	ProviderZoom  = "zoom"
)

// Location is where bytes are stored according to the catalog: a provider and the key
// that the provider identifies them by (a path, a Drive file id, an object key). It says
// nothing about the version stored there now; an origin turns it into an Object.
type Location struct {
	Provider string
	Key      string
}

// StoredAt is the location of a recording's bytes by the columns of its row: on Drive
// the file id, which the platform's own player uses, and the archive's key
// everywhere else. The Key is "" when nothing has been archived.
func StoredAt(provider, driveFile, archiveKey string) Location {
	if provider == ProviderDrive && driveFile != "" {
		return Location{Provider: provider, Key: driveFile}
	}
	return Location{Provider: provider, Key: archiveKey}
}

// AtZoom is the location of a recording that is still stored at Zoom: the teacher whose
// app may download it, and the link. The Key is "" where either is unknown.
func AtZoom(teacher int64, link string) Location {
	if teacher <= 0 || link == "" {
		return Location{Provider: ProviderZoom}
	}
	return Location{Provider: ProviderZoom, Key: strconv.FormatInt(teacher, 10) + " " + link}
}

// Zoom is the inverse of AtZoom; ok is false for any other location.
func (l Location) Zoom() (teacher int64, link string, ok bool) {
	id, link, ok := strings.Cut(l.Key, " ")
	teacher, err := strconv.ParseInt(id, 10, 64)
	return teacher, link, ok && err == nil && teacher > 0 && link != "" && l.Provider == ProviderZoom
}

// Object is the immutable identity of bytes. Two Objects that are equal name
// the same bytes for ever; a changed file is another Object. Every exchange uses exactly
// one, and takes the size from it.
type Object struct {
	Provider string
	ID       string
	// Version is the origin's own name of this content, never empty: Drive's
	// headRevisionId or md5, an S3 ETag or VersionId, size and mtime of a file.
	Version string
	// Size in bytes, exact, never negative.
	Size int64
	// ContentType is the origin's, possibly empty or generic.
	ContentType string
	// ModTime is zero when the origin does not say.
	ModTime time.Time
	// SHA256 is the digest of the whole object as the origin states it for Version, in
	// lower-case hex; "" where it states none.
	SHA256 string
	// Pinned is true when a read by Version can return no other version. Where it is
	// false the origin checks the version around each read (see drive).
	Pinned bool
	// Original is the identity of the object that this one is a verified copy of, zero for
	// none: see Copy.
	Original Identity
}

// Location is where the object was found.
func (o Object) Location() Location { return Location{Provider: o.Provider, Key: o.ID} }

// Identity tells bytes apart: entity tags and caches are made of it, and of the size.
type Identity struct{ Provider, ID, Version string }

// Location is where the bytes with this identity are, or were.
func (i Identity) Location() Location { return Location{Provider: i.Provider, Key: i.ID} }

// Identity is the identity under which viewers and caches know the bytes: the original's
// where the object is a verified copy.
func (o Object) Identity() Identity {
	if o.Original != (Identity{}) {
		return o.Original
	}
	return Identity{o.Provider, o.ID, o.Version}
}

// Copy says that what a location holds in one version is a verified copy of another object:
// size and checksums were the same when the recording moved. The zero Copy says nothing.
type Copy struct {
	Version  string // of the copy
	Size     int64
	Original Identity
	// Modified is the original's ModTime.
	Modified time.Time
}

// Identify gives the copy's object the identity of its original, with which its entity tag,
// its Last-Modified and its cached chunks survive the move. Another object, such as a later
// version under the same key, stays as it is.
func (c Copy) Identify(o Object) Object {
	if c.Version == "" || c.Original == (Identity{}) || o.Version != c.Version || o.Size != c.Size {
		return o
	}
	o.Original = c.Original
	if !c.Modified.IsZero() {
		o.ModTime = c.Modified
	}
	return o
}

// Span covers the whole object.
func (o Object) Span() Span { return Span{Off: 0, Len: o.Size} }

// ETag is a strong entity tag (RFC 9110 section 8.8.3) with its quotes. It is a digest,
// so that provider ids, which can be capabilities, are not disclosed. It has to be strong:
// VLC sends it in If-Match, which compares strongly.
func (o Object) ETag() string {
	h := sha256.New()
	id := o.Identity()
	for _, part := range []string{id.Provider, id.ID, id.Version, strconv.FormatInt(o.Size, 10)} {
		h.Write([]byte(strconv.Itoa(len(part))))
		h.Write([]byte{':'})
		h.Write([]byte(part))
	}
	sum := h.Sum(nil)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`
}
