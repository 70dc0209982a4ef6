// Presses play, and is how many milliseconds later the video plays.
(async () => {
  const video = document.querySelector('video');
  video.muted = true;
  const pressed = performance.now();
  await new Promise((done, fail) => {
    video.addEventListener('playing', done, { once: true });
    video.play().catch(fail);
    setTimeout(() => fail(new Error(`not playing 30 s after the press, network ${video.networkState}, ready ${video.readyState}`)), 30_000);
  });
  return performance.now() - pressed;
})()
