// How long a video is, as far as anybody knows.

// lengthOf is a video's length in seconds: its own, else the end of what can be sought
// to, else the lesson's stated one; 0 where nothing is known. A browser's own recording
// carries no length, and the element then says Infinity. What has been reached exists, and
// is no shorter than the place.
export function lengthOf(video, stated = 0) {
  const { duration, seekable, currentTime } = video;
  if (Number.isFinite(duration) && duration > 0) return duration;
  const end = seekable.length ? seekable.end(seekable.length - 1) : 0;
  const known = [end, stated].find((seconds) => Number.isFinite(seconds) && seconds > 0) || 0;
  return known && Math.max(known, currentTime);
}
