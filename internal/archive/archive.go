// Package archive declares the interface of the archives that recordings are stored in
// for good. The implementations are with the origins that read them back:
// origin/local, origin/drive, origin/s3, origin/azure. What those do alike is here too.
package archive

import (
	"context"
	"io"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// Item is a file to be archived.
type Item struct {
	// Key is where it goes, given by NewKey before: an upload that is tried again ends
	// in the same place and makes no second file.
	Key string
	// Replace gives the object of that key a new version, instead of creating it.
	Replace bool
	Path    string // the file on our disk
	Size    int64  // bytes
	MD5     string // of the file, lower-case hex
	Name    string // for people
	Folder  string // the archive's own name of a folder, or "" for its default
	// Properties are found again by List where the place keeps such things.
	Properties map[string]string
	// Session is what an interrupted upload left behind, or "". It is a secret.
	Session string
	// SaveSession is called with each new session, which then survives a restart. An error
	// ends the upload.
	SaveSession func(session string) error
}

// Stored is an object as the archive itself describes it.
type Stored struct {
	Key  string
	Size int64
	// MD5 is lower-case hex, and what the archive itself vouches for: it has computed it of
	// the bytes that it holds, or a checksum that it has computed of them proves it (see
	// Claim). "" when nothing proves one.
	MD5 string
	// Version is what the origin that reads the object states as media.Object.Version, so
	// that what is recorded of the one is known to hold for the other.
	Version string
	Folder  string
	// URL opens it for people who may see it, or "".
	URL string
}

// Same reports whether the archive holds exactly these bytes. An archive that names no
// checksum proves nothing: false.
func (s Stored) Same(size int64, md5 string) bool {
	return s.Size == size && s.MD5 != "" && s.MD5 == md5
}

// Archive is one archive. All methods are safe for concurrent use; errors have a
// media.Kind. Quota (reason storageQuotaExceeded among others) means full.
type Archive interface {
	// Provider is its name in the catalog.
	Provider() string
	// NewKey returns a key that nobody uses. A key that is never used costs nothing. People
	// see the hint in it where keys are readable, and the extension that it may end in.
	NewKey(ctx context.Context, hint string) (string, error)
	// Put stores the item's bytes and returns what the archive then says of it.
	// Putting the same bytes again is harmless.
	Put(ctx context.Context, item Item) (Stored, error)
	// Stat describes an object. NotFound: it is not there, or in the trash.
	Stat(ctx context.Context, key string) (Stored, error)
	// Open reads an object from its beginning; Close ends it early without harm.
	Open(ctx context.Context, key string) (io.ReadCloser, error)
	// Remove deletes an object, or trashes it where that is all that is allowed. One that
	// is not there is no error.
	Remove(ctx context.Context, key string) error
	// List calls each for every object that a syncer has put there, until it returns an
	// error.
	List(ctx context.Context, each func(Stored) error) error
}

// UploadAborter is implemented by archives that keep the parts of an interrupted upload,
// and charge for them, until somebody aborts it. Methods are safe for concurrent use.
type UploadAborter interface {
	// AbortUpload aborts the upload of a session that Put has saved. One that is complete or
	// gone is no error.
	AbortUpload(ctx context.Context, session string) error
	// AbortStale aborts the uploads of this archive, and no other, that have not progressed
	// since a time: nobody is left who knows their sessions. It returns how many those were.
	AbortStale(ctx context.Context, since time.Time) (aborted int, err error)
}

// Identifier is an optional interface of archives that name an object as the origin of their
// provider does.
type Identifier interface {
	// Identify is the object as viewers read it, with its version. NotFound: it is not there,
	// or in the trash.
	Identify(ctx context.Context, key string) (media.Object, error)
}

// Set are the archives that are configured, by provider.
type Set map[string]Archive

// Get finds the archive of a provider. Unavailable: it is not configured.
func (s Set) Get(provider string) (Archive, error) {
	if a, ok := s[provider]; ok {
		return a, nil
	}
	return nil, media.Faultf(media.Unavailable, "archive", "the archive %q is not configured", provider)
}
