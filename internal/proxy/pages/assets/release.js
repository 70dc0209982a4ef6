// The connection of a paused video that nobody sees. A browser reads ahead until its buffer is
// full and then leaves the response open: six such pages are all the connections that it opens
// to a host, and each holds one of the user's streams. A video that was never started has none:
// preload="metadata" reads what the first frame needs. On the page that is seen Chromium ends
// the response after 15 s of a pause.

const HIDDEN = 1000; // ms that a paused video keeps its connection for when nobody sees the page

// releaseWhenHidden loads a paused video of a hidden page anew, as one that was never started,
// by load(). It does not go where it stood before it is seen: Firefox keeps the connection of
// a video that was sought.
export function releaseWhenHidden(video, { busy, load }) {
  let timer = 0;
  let connected = false;
  let at; // where the video stood when it was released

  function later() {
    clearTimeout(timer);
    if (document.hidden && connected) timer = setTimeout(release, HIDDEN);
  }

  function release() {
    if (busy() || !document.hidden || !video.paused || video.error || video.seeking) return;
    connected = false;
    if (document.pictureInPictureElement === video || loadedToEnd(video)) return;
    at = video.currentTime;
    load();
  }

  function restore() {
    if (at === undefined) return;
    video.currentTime = at;
    at = undefined;
  }

  const listeners = {
    play: restore,
    pause: later,
    playing: () => { connected = true; },
    seeked: () => { connected = true; later(); },
  };
  for (const [name, f] of Object.entries(listeners)) video.addEventListener(name, f);
  const wake = () => (document.hidden ? later() : restore());
  document.addEventListener('visibilitychange', wake);

  return {
    get released() { return at !== undefined; },
    // take gives where the video stands, or would, and forgets it: a new load goes there.
    take() {
      const place = at ?? video.currentTime;
      at = undefined;
      return place;
    },
    close() {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', wake);
      for (const [name, f] of Object.entries(listeners)) video.removeEventListener(name, f);
    },
  };
}

// loadedToEnd is whether all that follows is there, so that the response has ended.
function loadedToEnd({ buffered, currentTime, duration }) {
  for (let i = 0; i < buffered.length; i++) {
    if (buffered.start(i) <= currentTime && buffered.end(i) >= duration - 0.5) return true;
  }
  return false;
}
