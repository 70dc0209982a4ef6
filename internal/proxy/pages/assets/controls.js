// What stands below the video, and the keys that do the same. The video keeps its
// native controls; these are what they lack.

import { el, icon, button, say } from './dom.js';
import { clock } from './format.js';
import { lengthOf } from './length.js';
import { prefer, preference } from './places.js';
import { t } from './words.js';

const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];
const STEP = 10; // seconds

export function makeControls(video) {
  const speed = el('select', { 'aria-label': t.speed, onchange: () => setSpeed(Number(speed.value)) }, SPEEDS.map((value) => el('option', { value }, `${value}×`)));
  const captions = button(t.captions, () => toggleCaptions(), { class: 'captions', 'aria-pressed': 'false', hidden: true }, icon('captions'));
  const pip = button(el('span', {}, t.pip), togglePip, { class: 'pip', 'aria-label': t.pip, title: t.pip }, icon('pip'));
  pip.hidden = !(document.pictureInPictureEnabled || video.webkitSupportsPresentationMode?.('picture-in-picture'));
  const download = el('a.button.download', { download: true, hidden: true }, icon('download'), t.download);
  const ahead = el('span');
  const buffered = el('p.buffered', {}, el('span.dot', { 'aria-hidden': 'true' }), ahead);
  buffered.hidden = true;
  const node = el('div.controls', { role: 'group', 'aria-label': t.player },
    button('−10', () => skip(-STEP), { class: 'skip-back', 'aria-label': t.back10, title: t.back10 }),
    button('+10', () => skip(STEP), { class: 'skip-forward', 'aria-label': t.forward10, title: t.forward10 }),
    el('label.speed', {}, el('span', { 'aria-hidden': 'true' }, t.speed), speed), captions, pip, download, buffered);

  function skip(seconds) {
    // Beyond an unknown end the browser itself stops.
    const end = lengthOf(video) || Infinity;
    video.currentTime = Math.min(Math.max(0, video.currentTime + seconds), end);
  }

  function setSpeed(value) {
    speed.value = String(value);
    prefer('speed', value);
    video.defaultPlaybackRate = video.playbackRate = value; // the default survives a reload of the source
  }

  function stepSpeed(by) {
    const at = SPEEDS.indexOf(Number(speed.value)) + by;
    if (at < 0 || at >= SPEEDS.length) return;
    setSpeed(SPEEDS[at]);
    say(`${t.speed} ${SPEEDS[at]}×`);
  }

  function toggle() {
    if (video.paused) video.play().catch(() => {});
    else video.pause();
  }

  function toggleCaptions() {
    const [first] = video.textTracks;
    if (!first) return;
    const on = ![...video.textTracks].some((track) => track.mode === 'showing');
    for (const track of video.textTracks) track.mode = on && track === first ? 'showing' : 'disabled';
    prefer('captions', on);
  }

  // The native menu switches captions too; the button follows.
  video.textTracks.addEventListener('change', () => {
    captions.setAttribute('aria-pressed', String([...video.textTracks].some((track) => track.mode === 'showing')));
  });

  async function togglePip() {
    try {
      if (document.pictureInPictureElement) await document.exitPictureInPicture();
      else if (video.requestPictureInPicture) await video.requestPictureInPicture();
      else video.webkitSetPresentationMode(video.webkitPresentationMode === 'inline' ? 'picture-in-picture' : 'inline');
    } catch { /* before the first picture there is nothing to show apart */ }
  }

  function toggleFullscreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (video.requestFullscreen) video.requestFullscreen().catch(() => {});
    else video.webkitEnterFullscreen?.();
  }

  // showAhead tells how much is loaded beyond the picture on the screen.
  function showAhead() {
    const { buffered: ranges, currentTime: at, duration } = video;
    let end = at;
    for (let i = 0; i < ranges.length; i++) if (ranges.start(i) <= at + 0.5 && ranges.end(i) > end) end = ranges.end(i);
    buffered.hidden = !Number.isFinite(duration) || !duration;
    buffered.classList.toggle('low', end - at < 5 && duration - end > 1);
    ahead.textContent = duration - end < 0.5 ? t.bufferedAll : t.buffered.replace('{0}', clock(end - at));
  }
  for (const name of ['progress', 'timeupdate', 'seeked', 'durationchange']) video.addEventListener(name, showAhead);

  // By place on the keyboard, so that they are the same keys in any alphabet.
  const KEYS = {
    Space: toggle, KeyK: toggle, ArrowLeft: () => skip(-STEP), KeyJ: () => skip(-STEP), ArrowRight: () => skip(STEP), KeyL: () => skip(STEP),
    KeyM: () => { video.muted = !video.muted; }, KeyC: toggleCaptions, KeyF: toggleFullscreen,
    'Shift+Comma': () => stepSpeed(-1), 'Shift+Period': () => stepSpeed(1),
  };

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    // Fields keep their keys, and buttons and links those that press them.
    if (event.target.closest('input, select, textarea') || (event.target.closest('button, a, summary') && ['Space', 'Enter'].includes(event.code))) return;
    const act = { '<': () => stepSpeed(-1), '>': () => stepSpeed(1) }[event.key] || KEYS[(event.shiftKey ? 'Shift+' : '') + event.code];
    if (!act) return;
    event.preventDefault(); // the native controls would act a second time
    act();
  }
  document.addEventListener('keydown', onKey, true);

  setSpeed(SPEEDS.includes(preference('speed', 1)) ? preference('speed', 1) : 1);
  return {
    node, skip, setCaptions, renewCaptions,
    allowDownload(href) { download.href = href; download.hidden = false; },
    close() { document.removeEventListener('keydown', onKey, true); },
  };

  // setCaptions replaces the tracks; who watched with captions goes on with them.
  function setCaptions(list) {
    video.querySelectorAll('track').forEach((track) => track.remove());
    for (const { label, lang, url } of list) {
      video.append(el('track', { kind: 'captions', label: lang === 'und' ? t.transcript : label, srclang: lang, src: here(url) }));
    }
    captions.hidden = !list.length;
    if (list.length && preference('captions', false)) video.textTracks[0].mode = 'showing';
  }

  // renewCaptions gives tracks that nobody has switched on yet their new addresses:
  // the old ones end with the old grant.
  function renewCaptions(list) {
    video.querySelectorAll('track').forEach((track, i) => { if (track.readyState === 0 && list[i]) track.src = here(list[i].url); });
  }
}

// here is an address of the gateway on this host, which alone the policy allows.
const here = (url) => { const { pathname, search } = new URL(url, location.href); return pathname + search; };
