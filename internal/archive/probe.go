package archive

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"os"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// cleanupTimeout bounds the removal of what a check has written, which is removed even when
// the check's context has ended.
const cleanupTimeout = 1500 * time.Millisecond

// NewProbe writes a temporary file of a few bytes for a check of whether an archive can be
// written. remove deletes the file, and not what the archive has made of it.
func NewProbe(op, key string) (item Item, remove func(), err error) {
	f, err := os.CreateTemp("", "lectern-doctor-")
	if err != nil {
		return Item{}, nil, media.Fault(media.Other, op, err)
	}
	remove = func() { _ = os.Remove(f.Name()) } // a leftover is some bytes of a temporary directory
	content := []byte("Lectern checks that it can write here.\n")
	_, err = f.Write(content)
	if err := errors.Join(err, f.Close()); err != nil {
		remove()
		return Item{}, nil, media.Fault(media.Other, op, err)
	}
	sum := md5.Sum(content)
	return Item{
		Key: key, Path: f.Name(), Size: int64(len(content)), MD5: hex.EncodeToString(sum[:]), Name: "lectern-doctor.txt",
		SaveSession: func(string) error { return nil },
	}, remove, nil
}

// WithCleanup runs the removal of what a check has written, with a short time of its own when
// ctx has ended.
func WithCleanup(ctx context.Context, remove func(context.Context) error) error {
	if ctx.Err() == nil {
		return remove(ctx)
	}
	removing, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	return remove(removing)
}
