package local

import (
	"context"
	"io"
	"os"

	"github.com/lectiospace/lectern/internal/media"
)

// Reader gives a span as pieces of the file itself, for sendfile(2). The file is
// on a disk of ours already, so it does not go through the cache.
func (o *Origin) Reader(_ context.Context, obj media.Object, span media.Span) (media.Reader, error) {
	f, err := o.openVersion(obj)
	if err != nil {
		return nil, err
	}
	return &reader{f: f, version: obj.Version, key: obj.ID, at: span.Off, end: span.End()}, nil
}

type reader struct {
	f            *os.File
	version, key string
	at, end      int64
}

// Next looks at the file before each piece: one that was rewritten in place has
// another modification time, and its bytes are of another version.
func (r *reader) Next(ctx context.Context, most int64) (media.Piece, error) {
	if r.at >= r.end {
		return media.Piece{}, io.EOF
	}
	if err := ctx.Err(); err != nil {
		return media.Piece{}, media.Fault(media.KindOf(err), "local: read", err)
	}
	info, err := r.f.Stat()
	if err != nil {
		return media.Piece{}, media.Fault(media.Unavailable, "local: read", err)
	}
	if objectOf(r.key, info).Version != r.version {
		return media.Piece{}, media.Faultf(media.Changed, "local: read", "the file has changed")
	}
	n := min(most, r.end-r.at)
	p := media.Piece{File: r.f, Off: r.at, Len: n, From: media.SourceOrigin}
	r.at += n
	return p, nil
}

func (r *reader) Status() media.CacheStatus { return media.CacheBypass }

func (r *reader) Close() error { return r.f.Close() }
