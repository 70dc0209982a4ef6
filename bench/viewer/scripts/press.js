// Presses play, and is how many milliseconds later the video plays.
(async () => {
  const video = document.querySelector('video');
  video.muted = true;
  const pressed = performance.now();
  const playing = new Promise((done) => video.addEventListener('playing', done, { once: true }));
  await video.play();
  await playing;
  return performance.now() - pressed;
})()
