// What the page shows and has loaded, for the report of a visit without a first frame. The
// fragment of the address, where the token is, stays out.
(() => {
  const video = document.querySelector('video');
  const entries = [...performance.getEntriesByType('resource'), ...performance.getEntriesByType('mark')];
  return [
    `${location.pathname || location.href}, ${document.readyState}, ${document.visibilityState}, "${document.title}"`,
    video ? `video: network ${video.networkState}, ready ${video.readyState}, error ${video.error?.message ?? 'none'}` : 'no video',
    ...entries.map(({ name, startTime, responseStart, responseEnd }) => [name.replace(/[?#].*/, ''), startTime, responseStart, responseEnd]
      .filter((part) => part !== undefined).map((part) => (typeof part === 'number' ? Math.round(part) : part)).join(' ')),
    document.querySelector('main')?.innerText ?? document.body?.innerText ?? '',
  ].join('\n');
})()
