// When each phase ended, in milliseconds after the address was entered; null while the first
// frame is not on the screen. A browser may not show the stream's entry before its end.
(() => {
  const mark = (name) => performance.getEntriesByName(name, 'mark')[0]?.startTime ?? 0;
  const resource = (pattern) => performance.getEntriesByType('resource').find(({ name }) => pattern.test(name));
  const [page] = performance.getEntriesByType('navigation');
  const granted = resource(/\/playback\/$/);
  if (!mark('frame')) return null;
  return {
    html: page.responseEnd, script: resource(/\/assets\/page\./)?.responseEnd ?? 0, asked: granted?.startTime ?? 0, granted: granted?.responseEnd ?? 0,
    src: mark('loadstart'), firstByte: resource(/\/stream\/|\.mp4$/)?.responseStart ?? 0, metadata: mark('loadedmetadata'), data: mark('loadeddata'), frame: mark('frame'),
  };
})()
