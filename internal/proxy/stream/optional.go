package stream

import (
	"context"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
)

// Origins resolves a location into the immutable identity of the object there. It
// may also be a StatPrefetcher and an Invalidator.
type Origins interface {
	Stat(ctx context.Context, loc media.Location) (media.Object, error)
}

// StatPrefetcher is the optional interface of Origins that fetch the bytes from off
// on while they resolve the location, of which copied may say more. settle ends the prefetch; it is called once the
// bytes have been read in earnest, or will not be.
type StatPrefetcher interface {
	StatPrefetch(ctx context.Context, loc media.Location, copied media.Copy, off int64) (obj media.Object, settle func(), err error)
}

// PlaybackTracer traces playbacks, which take many exchanges.
type PlaybackTracer interface {
	// Join adds an exchange to the user's playback of a recording. traceparent and
	// tracestate are the request's, "" for none. The context that it returns carries the
	// traceparent of the playback. leave, where it is not nil, is called once when the
	// exchange has ended, with the time to its first byte, 0 for none.
	Join(ctx context.Context, user int64, rec media.Recording, traceparent, tracestate string) (_ context.Context, leave func(r *accesslog.Record, firstByte time.Duration))
}

// Invalidator is the optional interface of Origins that cache identities. Invalidate
// drops the identity of a location, after a read has shown that it is outdated.
type Invalidator interface{ Invalidate(loc media.Location) }

// BitrateSetter is the optional interface of a media.Reader that reads ahead by
// playing time. Bitrate sets how many bytes a second of the recording has.
type BitrateSetter interface{ Bitrate(bytesPerSecond int64) }

// ForwardingReporter is the optional interface of a media.Reader that shares or stores what
// it requests of an origin.
type ForwardingReporter interface{ Forwarding() media.Forwarding }

// PieceInvalidator is the optional interface of a media.Reader that can get the bytes of a
// piece from elsewhere when its file is damaged. InvalidatePiece says why the file of the last
// piece could not be sent: a reader that is opened afterwards does not get it again.
type PieceInvalidator interface{ InvalidatePiece(why error) }

// optionalInterfaces returns the optional interfaces that origins has; nil for those
// that it has not.
func optionalInterfaces(origins Origins) (StatPrefetcher, Invalidator) {
	prefetcher, _ := origins.(StatPrefetcher)
	invalidator, _ := origins.(Invalidator)
	return prefetcher, invalidator
}

// forwardingOf is what a ForwardingReporter reports; the zero value of any other reader.
func forwardingOf(r media.Reader) media.Forwarding {
	if reporter, ok := r.(ForwardingReporter); ok {
		return reporter.Forwarding()
	}
	return media.Forwarding{}
}

// setBitrate gives a BitrateSetter the recording's mean bitrate, where it is known.
func setBitrate(r media.Reader, size int64, duration time.Duration) {
	if s, ok := r.(BitrateSetter); ok && duration >= time.Second {
		s.Bitrate(size / int64(duration/time.Second))
	}
}
