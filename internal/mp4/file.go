package mp4

import "time"

// File is the structure of a file that plays.
type File struct {
	// FastStart: the index (moov) precedes the media data (mdat), so that a player need
	// not fetch the end of the file first.
	FastStart bool
	// Fragmented: the samples are listed in movie fragments (moof), not in the index.
	// Durations and sample counts of the tracks are then unknown.
	Fragmented bool
	// Duration is that of the movie header; 0 when it is absent or unknown.
	Duration time.Duration
	// Tracks are at most maxTracks, in the order of the index.
	Tracks []Track
	// Warnings are what Scan passed over, each once.
	Warnings []Warning
}

// Warning is the code of a flaw that does not keep a file from playing.
type Warning string

// The warnings.
const (
	// TrailingBytes: bytes that are no box follow the last box.
	TrailingBytes Warning = "trailing_bytes"
	// TruncatedBox: the last box, one that playing does not need, is cut short.
	TruncatedBox Warning = "truncated_box"
	// SecondIndex: there is more than one moov; the first one counts.
	SecondIndex Warning = "second_index"
	// UnusualFirstBox: the file begins with neither ftyp nor moov.
	UnusualFirstBox Warning = "unusual_first_box"
)

// The reasons of refusals, in media.Error.Reason. The kind is always media.Corrupt.
const (
	// ReasonNotMP4: the bytes are no sequence of boxes: a page, JSON, text.
	ReasonNotMP4 = "not_mp4"
	// ReasonNoIndex: there is no moov.
	ReasonNoIndex = "no_index"
	// ReasonNoMediaData: there is no mdat, or none with a byte in it.
	ReasonNoMediaData = "no_media_data"
	// ReasonCutShort: bytes that playing needs are beyond the end of the file.
	ReasonCutShort = "cut_short"
	// ReasonNoPlayableTrack: no video or audio track has a sample.
	ReasonNoPlayableTrack = "no_playable_track"
	// ReasonMalformed: a box within the index contradicts the one around it.
	ReasonMalformed = "malformed_index"
)

// Kind says what a track holds.
type Kind uint8

// The kinds of tracks. Other stands for text, chapters, timecodes, hints, metadata.
const (
	Other Kind = iota
	Video
	Audio
)

// Track is one track of the index.
type Track struct {
	ID   uint32
	Kind Kind
	// Format is the four-character code of the first sample entry, as "avc1"; "" when
	// there is none.
	Format string
	// Formats counts the sample entries. More than one means that the codec's
	// configuration changes within the track.
	Formats uint32
	// Language is the code of ISO 639-2/T, as "eng"; "" when it is undetermined.
	Language string
	// Timescale is in ticks a second; never 0 for a track that plays.
	Timescale uint32
	// Duration is that of the media header, in ticks; 0 when unknown.
	Duration uint64
	// Samples counts the samples that the index lists with a place in the file. Samples,
	// Times, Format, Formats and Edits are read for video and audio tracks only.
	Samples uint64
	// Times sums up the decoding times.
	Times Times
	// Edits is the edit list.
	Edits Edits
}

// Times sums up the time-to-sample and composition-offset tables of a track.
type Times struct {
	// Total is the sum of all sample durations, in ticks.
	Total uint64
	// Longest is the longest sample, in ticks.
	Longest uint32
	// Zero counts the samples, but the last one, that last no tick: two samples are
	// decoded at one time.
	Zero uint64
	// FirstComposition is how much later than it is decoded the first sample is shown,
	// in ticks.
	FirstComposition int32
}

// Edits is an edit list (section 8.6.6). The zero value is a track without one.
type Edits struct {
	// Count is the number of entries.
	Count uint32
	// Simple: at most one empty edit followed by at most one edit at normal speed. The
	// other fields are meaningful only then.
	Simple bool
	// Delay is the length of the empty edit.
	Delay time.Duration
	// MediaTime is where in the media the presentation begins, in ticks of the track.
	MediaTime int64
	// Length is how much of the media is presented; 0 = all that follows MediaTime.
	Length time.Duration
}

// Seconds converts ticks of the track to a duration, saturating; 0 without a timescale.
func (t Track) Seconds(ticks uint64) time.Duration { return toDuration(ticks, t.Timescale) }

func toDuration(ticks uint64, timescale uint32) time.Duration {
	if timescale == 0 {
		return 0
	}
	seconds := ticks / uint64(timescale)
	if seconds > 1<<33 {
		return 0 // a few centuries: the field says that it is unknown
	}
	rest := ticks % uint64(timescale) * uint64(time.Second) / uint64(timescale)
	return time.Duration(seconds)*time.Second + time.Duration(rest)
}
