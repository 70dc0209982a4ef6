// Pictures of a lesson, one each few seconds: what the bar shows of the place under the
// finger. They come with WebVTT whose cues name a part of a picture by #xywh.

import { el } from './dom.js';
import { indexAt, parseVTT } from './vtt.js';

const TILE = /^(\S+?)(?:#xywh=(?:pixel:)?(\d+),(\d+),(\d+),(\d+))?$/;

// parseStoryboard gives the tiles by time: which file, and which part of it.
function parseStoryboard(source) {
  return parseVTT(source).flatMap(({ start, raw }) => {
    const [, file, ...box] = raw.trim().match(TILE) || [];
    const [x, y, width, height] = box.map(Number);
    // Pictures of another host are against the policy: only a name beside the file counts.
    return file && width > 0 && height > 0 && !/[/\\:]/.test(file) ? [{ start, file, x, y, width, height }] : [];
  });
}

// makeThumbnail is an element that shows the tile of a time. address makes one of a file's name.
export function makeThumbnail(address) {
  const picture = el('img', { alt: '', decoding: 'async' });
  const node = el('div.thumbnail', { hidden: true }, picture);
  let tiles = [];
  return {
    node,
    fill(source) { tiles = parseStoryboard(source); },
    show(time) {
      const tile = tiles[Math.max(0, indexAt(tiles, time))];
      node.hidden = !tile;
      if (!tile) return;
      const src = address(tile.file);
      if (picture.getAttribute('src') !== src) picture.src = src;
      Object.assign(node.style, { width: `${tile.width}px`, height: `${tile.height}px` });
      picture.style.transform = `translate(${-tile.x}px, ${-tile.y}px)`;
    },
  };
}
