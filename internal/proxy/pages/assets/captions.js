// Captions on the picture. The page draws them itself, above the controls and in the size
// that the viewer likes; where the browser shows the video alone, in full screen on a
// telephone, its own captions are switched on.

import { el } from './dom.js';
import { prefer, preference } from './places.js';
import { lang, t } from './words.js';

const SIZES = ['small', 'medium', 'large', 'huge'];

// labelOf is how a language of captions is called.
export const labelOf = ({ label, lang: tag }) => (tag === 'und' ? t.transcript : label || tag);

export function makeCaptions(video, box) {
  let list = [];
  let on = preference('captions', false);
  let chosen = preference('captionLang', '');
  const changes = new Set();
  let native = false; // the browser shows the video alone
  setSize(preference('captionSize', 'medium'));

  const current = () => Math.max(0, list.findIndex((one) => one.lang === chosen));
  const tracks = () => [...video.querySelectorAll('track')];

  function apply() {
    tracks().forEach(({ track }, i) => { track.mode = on && i === current() ? (native ? 'showing' : 'hidden') : 'disabled'; });
    draw();
    changes.forEach((f) => f());
  }

  function draw() {
    const cues = on && !native ? [...(tracks()[current()]?.track.activeCues ?? [])] : [];
    box.replaceChildren(...cues.flatMap((cue) => [...cue.getCueAsHTML().childNodes].length
      ? [el('p', { dir: 'auto' }, cue.getCueAsHTML().textContent.trim())] : []));
  }

  function setNative(alone) {
    native = alone;
    apply();
  }
  video.addEventListener('webkitbeginfullscreen', () => setNative(true));
  video.addEventListener('webkitendfullscreen', () => setNative(false));
  video.addEventListener('enterpictureinpicture', () => setNative(true));
  video.addEventListener('leavepictureinpicture', () => setNative(false));

  function setSize(size) {
    box.dataset.size = SIZES.includes(size) ? size : 'medium';
  }

  return {
    sizes: SIZES,
    get list() { return list; },
    get on() { return on && list.length > 0; },
    get lang() { return list[current()]?.lang ?? ''; },
    get size() { return box.dataset.size; },
    onChange(f) { changes.add(f); },
    toggle() {
      on = !on;
      prefer('captions', on);
      apply();
    },
    choose(tag) {
      chosen = tag;
      prefer('captionLang', tag);
      apply();
    },
    setSize(size) {
      setSize(size);
      prefer('captionSize', box.dataset.size);
    },
    // fill replaces the tracks. Who chose no language gets the page's where there is one.
    fill(found, address) {
      list = found;
      if (!list.some((one) => one.lang === chosen)) chosen = (list.find((one) => one.lang.split('-')[0] === lang) ?? list[0])?.lang ?? '';
      tracks().forEach((track) => track.remove());
      for (const one of list) {
        const track = el('track', { kind: 'captions', label: labelOf(one), srclang: one.lang, src: address(one) });
        track.track.addEventListener('cuechange', draw);
        video.append(track);
      }
      apply();
    },
    // renew gives tracks that nobody has switched on yet their new addresses: the old ones
    // end with the old grant.
    renew(found, address) {
      tracks().forEach((track, i) => { if (track.readyState === 0 && found[i]) track.src = address(found[i]); });
    },
  };
}
