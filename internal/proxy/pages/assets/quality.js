// What plays: the recording, a thin version of it for slow lines, or its sound alone. A change
// keeps the place. The thin version is picked by itself when the full one stalls.

import { el, icon, button, say } from './dom.js';
import { prefer, preference } from './places.js';
import { t } from './words.js';

const STALLS = 2; // within WINDOW
const WINDOW = 60000; // ms
const LONG = 5000; // ms that one stall may last

// variantsOf picks from a recording's companions. Zoom's further views are no thin version:
// that one has the label "low". Sound that the archive made is the whole lesson's; of Zoom's,
// several are of a meeting's parts, which end before the lesson does, or of one participant.
function variantsOf(companions) {
  const of = (kind) => companions.filter((one) => one.kind === kind);
  const path = (one) => one && new URL(one.url, location.href).pathname;
  const whole = of('audio').filter(({ label }) => !/participant/i.test(label));
  return {
    low: path(of('view').find(({ label }) => label === 'low')),
    audio: path(whole.find(({ label }) => label === 'sound') ?? (whole.length === 1 ? whole[0] : undefined)),
  };
}

// makeQuality switches by play(path). stage shows what has no picture.
export function makeQuality(video, { play, stage, note }) {
  let paths = {};
  let now = 'full';
  let automatic = true; // until the viewer has chosen
  const sound = button(t.soundOnly, () => choose(now === 'audio' ? 'full' : 'audio'), { class: 'sound', role: 'switch', 'aria-checked': 'false', hidden: true }, icon('sound'));
  const select = el('select', { onchange: () => { prefer('quality', select.value); choose(select.value); } },
    el('option', { value: 'full' }, t.qualities.full), el('option', { value: 'low' }, t.qualities.low));
  const row = el('label', { hidden: true }, el('span', {}, t.quality), select);

  function show() {
    sound.setAttribute('aria-checked', String(now === 'audio'));
    sound.hidden = !paths.audio;
    row.hidden = !paths.low;
    select.value = now === 'low' ? 'low' : 'full';
    stage.showSoundOnly(now === 'audio');
  }

  function choose(wanted, byItself = false) {
    if (!byItself) automatic = false;
    if (wanted === now) return;
    now = wanted;
    if (now !== 'audio') stage.freeze();
    show();
    play(now === 'full' ? '' : paths[now]);
    stalls = [];
  }

  let stalls = [];
  let timer = 0;
  let running = false; // what is awaited at the beginning and after a seek is no stall until it is long
  function stalled() {
    if (now !== 'full' || !paths.low || !automatic) return;
    choose('low', true);
    say(t.switchedLow);
    note(t.switchedLow, button(t.qualities.full, () => choose('full')));
  }
  video.addEventListener('waiting', () => {
    clearTimeout(timer);
    if (video.seeking || video.paused) return;
    if (running) stalls = [...stalls.filter((at) => at > Date.now() - WINDOW), Date.now()];
    if (stalls.length >= STALLS) stalled();
    else timer = setTimeout(stalled, LONG);
  });
  for (const name of ['playing', 'seeking', 'pause', 'emptied']) {
    video.addEventListener(name, () => {
      clearTimeout(timer);
      running = name === 'playing';
    });
  }

  return {
    sound, row,
    fill(companions) {
      paths = variantsOf(companions);
      show();
      if (paths.low && preference('quality', 'full') === 'low') choose('low', true);
    },
    // drop is called when a variant is no more and the recording plays.
    drop() {
      delete paths[now];
      now = 'full';
      show();
    },
    close() { clearTimeout(timer); },
  };
}
