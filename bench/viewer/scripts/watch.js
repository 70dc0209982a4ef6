// Watches the video that plays, and seeks now and then. A stall is a wait that no seek is the
// reason of: for bytes, or for the decoder where what follows is there. All times are in
// milliseconds.
(async (forMs, every, share, seed) => {
  const video = document.querySelector('video');
  const random = () => { // mulberry32
    seed = (seed + 0x6D2B79F5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const spent = { stalled: 0, decoder: 0, sought: 0 };
  let waits = ''; // what for
  let since = 0;
  const ahead = () => { // seconds that are there
    for (let i = 0; i < video.buffered.length; i++) {
      if (video.buffered.start(i) <= video.currentTime && video.currentTime <= video.buffered.end(i)) return video.buffered.end(i) - video.currentTime;
    }
    return 0;
  };
  const changeTo = (next) => {
    const now = performance.now();
    if (waits) spent[waits] += now - since;
    waits = next;
    since = now;
  };
  video.addEventListener('seeking', () => changeTo('sought'));
  video.addEventListener('waiting', () => { if (!waits) changeTo(ahead() < 0.5 ? 'stalled' : 'decoder'); });
  video.addEventListener('playing', () => changeTo(''));
  const began = performance.now();
  let seeks = 0;
  while (performance.now() - began < forMs) {
    await new Promise((done) => setTimeout(done, every));
    if (random() < share) {
      video.currentTime = random() * (video.duration - forMs / 1000);
      seeks++;
    }
  }
  changeTo('');
  return { ...spent, seeks, watched: performance.now() - began };
})
