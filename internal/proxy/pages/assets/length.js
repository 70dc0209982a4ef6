// How long a video is, as far as anybody knows.

// lengthOf is a video's length in seconds: its own, else the end of what can be sought
// to, else the lesson's stated one; 0 where nothing is known. A browser's own recording
// carries no length, and the element then says Infinity.
export function lengthOf(video, stated = 0) {
  const { duration, seekable } = video;
  const end = seekable.length ? seekable.end(seekable.length - 1) : 0;
  return [duration, end, stated].find((seconds) => Number.isFinite(seconds) && seconds > 0) || 0;
}
