package archive

import (
	"context"

	"github.com/lectiospace/lectern/internal/media"
)

// ReadOnly is an archive in which nothing can be stored or deleted: these methods are
// refused with media.Denied, and nothing is sent.
func ReadOnly(a Archive) Archive { return readOnly{a} }

// ReadOnly is the set with every archive read-only.
func (s Set) ReadOnly() Set {
	out := Set{}
	for provider, a := range s {
		out[provider] = ReadOnly(a)
	}
	return out
}

type readOnly struct{ Archive }

func refused(op string) error {
	return media.Faultf(media.Denied, op, "the archive is read-only")
}

// NewKey implements Archive.
func (readOnly) NewKey(context.Context, string) (string, error) {
	return "", refused("archive: new key")
}

// Put implements Archive.
func (readOnly) Put(context.Context, Item) (Stored, error) {
	return Stored{}, refused("archive: put")
}

// Remove implements Archive.
func (readOnly) Remove(context.Context, string) error { return refused("archive: remove") }
