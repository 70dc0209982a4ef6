// Package mp4 reads the structure of MP4 files (ISO/IEC 14496-12): which boxes there
// are, which tracks, how long they last, and whether the bytes that the index points
// to are in the file. It decodes no media.
//
// Scan is as lenient as players are about what does not matter (the first box, bytes
// behind the last one, unknown boxes), and strict about what does: an index, media
// data that is whole, a track that plays. Memory use is constant: tables are streamed
// through a small buffer, and no length that the file claims is allocated.
package mp4
