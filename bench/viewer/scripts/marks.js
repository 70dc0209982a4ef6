// Runs before a page's own scripts, and marks what its <video> does.
for (const name of ['loadstart', 'loadedmetadata', 'loadeddata']) {
  document.addEventListener(name, ({ target }) => {
    performance.mark(name);
    if (name === 'loadstart') target.requestVideoFrameCallback(() => performance.mark('frame'));
  }, true);
}
