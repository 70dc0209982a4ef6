// The bar: where one is, what is loaded, where chapters begin, and a look at the place under
// the pointer, the finger or the keys before one goes there.

import { el } from './dom.js';
import { clock, count } from './format.js';
import { BUCKET, makeHeat } from './heat.js';
import { lengthOf } from './length.js';
import { makeThumbnail } from './storyboard.js';
import { indexAt } from './vtt.js';
import { t } from './words.js';

const PREVIEW = 1500; // ms that the preview stays after a key

export function makeSeekbar(video, { seek, address, stated }) {
  const played = el('span.played');
  const loaded = el('span.loaded');
  const marks = el('span.marks');
  const knob = el('span.knob');
  const heat = makeHeat();
  const thumbnail = makeThumbnail(address);
  const label = el('p');
  const preview = el('div.preview', { 'aria-hidden': 'true', hidden: true }, thumbnail.node, label);
  const node = el('div.seekbar', { role: 'slider', tabindex: '0', 'aria-label': t.seekbar, 'aria-valuemin': 0 },
    heat.node, el('span.rail', {}, loaded, played, marks), knob, preview);
  let chapters = [];
  let audience = null; // the viewers of each bucket
  let dragged; // seconds, while a finger or a mouse holds the bar
  let timer = 0;

  const length = () => lengthOf(video, stated());
  const viewersAt = (seconds) => audience && count(audience[Math.floor(seconds / BUCKET)] ?? 0, t.students);
  const share = (seconds) => `${Math.min(100, Math.max(0, (seconds / (length() || 1)) * 100))}%`;

  // draw moves what shows the time; the end of an unknown length is the end of what is loaded.
  function draw() {
    const at = dragged ?? video.currentTime;
    const all = Math.max(length(), at);
    played.style.inlineSize = knob.style.insetInlineStart = share(at);
    loaded.style.inlineSize = share(loadedUntil(video));
    const chapter = chapters[indexAt(chapters, at)]?.title;
    node.setAttribute('aria-valuemax', Math.round(all));
    node.setAttribute('aria-valuenow', Math.round(at));
    node.setAttribute('aria-valuetext', [t.timeOf.replace('{0}', clock(at)).replace('{1}', clock(all)), chapter, viewersAt(at)].filter(Boolean).join(', '));
  }
  for (const name of ['timeupdate', 'seeking', 'progress', 'durationchange', 'loadedmetadata']) video.addEventListener(name, draw);

  // whenMeasured calls f once the lesson's length is known.
  function whenMeasured(f) {
    if (length()) f();
    else video.addEventListener('loadedmetadata', f, { once: true });
  }

  const timeAt = (event) => {
    const { left, width } = node.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - left) / width)) * length();
  };

  function look(seconds) {
    if (!length()) return;
    const chapter = chapters[indexAt(chapters, seconds)]?.title;
    label.replaceChildren(...[chapter && el('span', { dir: 'auto' }, chapter), el('b', {}, clock(seconds)), viewersAt(seconds)].filter(Boolean));
    thumbnail.show(seconds);
    preview.hidden = false;
    clearTimeout(timer);
    // The preview never leaves the bar's ends.
    const bar = node.clientWidth;
    const half = preview.offsetWidth / 2;
    const x = (seconds / length()) * bar;
    preview.style.left = `${Math.min(Math.max(x, half), Math.max(half, bar - half))}px`;
  }
  const hide = () => { preview.hidden = true; };

  node.addEventListener('pointerdown', (event) => {
    if (event.button || !length()) return;
    node.setPointerCapture(event.pointerId);
    dragged = timeAt(event);
    look(dragged);
    draw();
  });
  node.addEventListener('pointermove', (event) => {
    if (dragged === undefined && event.pointerType === 'touch') return;
    const at = timeAt(event);
    if (dragged !== undefined) { dragged = at; draw(); }
    look(at);
  });
  node.addEventListener('pointerup', (event) => {
    if (dragged === undefined) return;
    const at = timeAt(event);
    dragged = undefined;
    seek(at);
    draw();
    if (event.pointerType === 'touch') hide();
  });
  node.addEventListener('pointercancel', () => { dragged = undefined; hide(); draw(); });
  node.addEventListener('pointerleave', () => { if (dragged === undefined) hide(); });
  node.addEventListener('blur', hide);

  return {
    node,
    fillStoryboard: thumbnail.fill,
    // glance shows the place that a key went to, for those whose focus is on the bar.
    glance() {
      if (document.activeElement !== node) return;
      look(video.currentTime);
      timer = setTimeout(hide, PREVIEW);
    },
    setAudience(buckets) {
      audience = buckets;
      whenMeasured(() => heat.fill(buckets, length()));
      draw();
    },
    setChapters(list) {
      chapters = list;
      whenMeasured(() => marks.replaceChildren(...list.filter(({ start }) => start > 0).map(({ start }) => {
        const mark = el('i');
        mark.style.insetInlineStart = share(start);
        return mark;
      })));
      draw();
    },
  };
}

// loadedUntil is the end of what is loaded without a gap from the picture on the screen.
function loadedUntil({ buffered, currentTime }) {
  let end = currentTime;
  for (let i = 0; i < buffered.length; i++) if (buffered.start(i) <= currentTime + 0.5 && buffered.end(i) > end) end = buffered.end(i);
  return end;
}
