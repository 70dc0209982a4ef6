// Package local is the origin and the archive in a local folder.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/lectiospace/lectern/internal/media"
)

// Origin serves regular files below one root. os.Root keeps every path, and
// every symbolic link on its way, inside. Safe for concurrent use.
type Origin struct{ root *os.Root }

// New opens the root, making it when it is missing.
func New(cfg Config) (*Origin, error) {
	if err := os.MkdirAll(cfg.Root, 0o750); err != nil {
		return nil, fmt.Errorf("origin-local-root: %w", err)
	}
	root, err := os.OpenRoot(cfg.Root)
	if err != nil {
		return nil, fmt.Errorf("origin-local-root: %w", err)
	}
	return &Origin{root}, nil
}

// Close closes the root; files that are open stay open.
func (o *Origin) Close() error { return o.root.Close() }

// Stat looks up a file. What is not a regular file, and what leads out of the root, is
// NotFound.
func (o *Origin) Stat(_ context.Context, loc media.Location) (media.Object, error) {
	f, obj, err := o.open(loc.Key)
	if err != nil {
		return media.Object{}, err
	}
	f.Close()
	return obj, nil
}

// Open reads a span of the file as it was when obj was made.
func (o *Origin) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	f, err := o.openVersion(obj)
	if err != nil {
		return nil, err
	}
	return &body{ctx: ctx, f: f, r: io.NewSectionReader(f, span.Off, span.Len), left: span.Len}, nil
}

// open opens a key and makes its Object. O_NONBLOCK keeps a FIFO from holding
// the open until somebody writes; it means nothing for regular files.
func (o *Origin) open(key string) (*os.File, media.Object, error) {
	if key == "" || strings.ContainsAny(key, "\x00\\") || path.IsAbs(key) {
		return nil, media.Object{}, media.Faultf(media.NotFound, "local: open", "not a path below the root")
	}
	f, err := o.root.OpenFile(key, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, media.Object{}, media.Fault(kindOf(err), "local: open", err)
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, media.Object{}, media.Faultf(media.NotFound, "local: open", "not a regular file")
	}
	return f, objectOf(key, info), nil
}

// openVersion opens what must still be obj.
func (o *Origin) openVersion(obj media.Object) (*os.File, error) {
	f, now, err := o.open(obj.ID)
	if err != nil {
		return nil, err
	}
	if now.Version != obj.Version {
		f.Close()
		return nil, media.Faultf(media.Changed, "local: open", "the file has changed")
	}
	return f, nil
}

func objectOf(key string, info fs.FileInfo) media.Object {
	var inode uint64
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = st.Ino
	}
	return media.Object{
		Provider: media.ProviderLocal, ID: key, Size: info.Size(), ModTime: info.ModTime(),
		Version:     fmt.Sprintf("%x-%x-%x", inode, info.Size(), info.ModTime().UnixNano()),
		ContentType: contentTypes[strings.ToLower(path.Ext(key))],
	}
}

// contentTypes are those of lessons; the system's own table differs by machine.
var contentTypes = map[string]string{
	".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".webm": "video/webm", ".mkv": "video/x-matroska",
	".m4a": "audio/mp4", ".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".vtt": "text/vtt",
}

// kindOf is NotFound only for a file that does not exist or leads out of the root.
func kindOf(err error) media.Kind {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.ENXIO):
		return media.NotFound
	case errors.Is(err, fs.ErrPermission):
		return media.Denied
	case strings.Contains(err.Error(), "escapes from parent"): // os has no exported error for it
		return media.NotFound
	default:
		return media.Unavailable
	}
}

// body reads a section until its context ends.
type body struct {
	ctx  context.Context
	f    *os.File
	r    io.Reader
	left int64
}

func (b *body) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, media.Fault(media.KindOf(err), "local: read", err)
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	switch {
	case errors.Is(err, io.EOF) && b.left > 0:
		err = media.Fault(media.Changed, "local: read", io.ErrUnexpectedEOF)
	case err != nil && !errors.Is(err, io.EOF):
		err = media.Fault(media.Unavailable, "local: read", err)
	}
	return n, err
}

func (b *body) Close() error { return b.f.Close() }
