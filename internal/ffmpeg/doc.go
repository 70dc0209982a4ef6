// Package ffmpeg probes, joins and shrinks recordings through the programs ffmpeg and
// ffprobe. Media is never read into memory, and a file that is made appears whole or
// not at all.
//
// Joiner.Join is the whole of a join of parts that were probed: parts that are equal in all
// that copying needs (Compatible) are copied one behind the other, others are encoded
// once to the shape of the best part; and what was made is measured (Tool.Verify)
// against the parts before it gets its name. A result that does not pass is never
// handed out.
//
// Both programs are started in one function, Tool.run, which bounds memory, processor
// time and output, opens local files of the MP4 family only, and leaves no process
// behind. Faults are media.Errors; their Reason is a constant of this package or of
// package mp4.
package ffmpeg
