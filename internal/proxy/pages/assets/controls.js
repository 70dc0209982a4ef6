// What stands below the picture: the bar, the buttons, and the menu of what is chosen once.

import { el, icon, button, say } from './dom.js';
import { clock } from './format.js';
import { lengthOf } from './length.js';
import { labelOf } from './captions.js';
import { prefer, preference } from './places.js';
import { t } from './words.js';

const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3];
export const STEP = 10; // seconds
const LOUDER = 0.1;

export function makeControls(video, { seekbar, captions, stage, stated }) {
  const speed = el('select', { 'aria-label': t.speed, onchange: () => setSpeed(Number(speed.value)) }, SPEEDS.map((value) => el('option', { value }, `${value}×`)));
  const play = button('', toggle, { class: 'play' });
  const mute = button('', () => { video.muted = !video.muted; }, { class: 'mute' });
  const volume = el('input.volume', { type: 'range', min: 0, max: 1, step: 0.05, 'aria-label': t.volume, oninput: () => setVolume(Number(volume.value)) });
  const time = el('p.time');
  const captionsButton = button('', () => captions.toggle(), { class: 'captions', 'aria-label': t.captions, title: t.captions, 'aria-pressed': 'false', hidden: true }, icon('captions'));
  const pip = button('', togglePip, { class: 'pip', 'aria-label': t.pip, title: t.pip }, icon('pip'));
  pip.hidden = !(document.pictureInPictureEnabled || video.webkitSupportsPresentationMode?.('picture-in-picture'));
  const full = button('', toggleFullscreen, { class: 'fullscreen', 'aria-label': t.fullscreen, title: t.fullscreen }, icon('fullscreen'));
  full.hidden = !(document.fullscreenEnabled || video.webkitEnterFullscreen); // the page around may forbid it
  const captionLang = el('select', { onchange: () => captions.choose(captionLang.value) });
  const captionSize = el('select', { onchange: () => captions.setSize(captionSize.value) }, captions.sizes.map((size) => el('option', { value: size }, t.sizes[size])));
  captionSize.value = captions.size;
  const captionRows = [el('label', {}, el('span', {}, t.captionLang), captionLang), el('label', {}, el('span', {}, t.captionSize), captionSize)];
  const menu = el('div.menu', { role: 'group', 'aria-label': t.settings, hidden: true }, captionRows);
  const gear = button('', () => openMenu(menu.hidden), { class: 'gear', 'aria-label': t.settings, title: t.settings, 'aria-expanded': 'false', hidden: true }, icon('gear'));
  const node = el('div.controls', { role: 'group', 'aria-label': t.player },
    seekbar.node,
    el('div.buttons', {}, play,
      button(`−${STEP}`, () => skip(-STEP), { class: 'skip-back', 'aria-label': t.back10, title: t.back10 }),
      button(`+${STEP}`, () => skip(STEP), { class: 'skip-forward', 'aria-label': t.forward10, title: t.forward10 }),
      mute, volume, time, el('label.speed', {}, speed), captionsButton, gear, pip, full),
    menu);

  function seek(seconds) {
    const { duration } = video;
    video.currentTime = Math.max(0, Number.isFinite(duration) ? Math.min(seconds, duration) : seconds);
  }
  // Beyond an end that is not known the browser itself stops.
  function skip(by) {
    seek(video.currentTime + by);
    seekbar.glance();
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

  function setVolume(value) {
    video.volume = Math.min(1, Math.max(0, Math.round(value * 100) / 100));
    video.muted = video.volume === 0;
    prefer('volume', video.volume);
  }

  function toggle() {
    if (video.paused || video.ended) video.play().catch(() => {});
    else video.pause();
  }

  async function togglePip() {
    try {
      if (document.pictureInPictureElement) await document.exitPictureInPicture();
      else if (video.requestPictureInPicture) await video.requestPictureInPicture();
      else video.webkitSetPresentationMode('picture-in-picture');
    } catch { /* before the first picture there is nothing to show apart */ }
  }

  function toggleFullscreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (stage().requestFullscreen) stage().requestFullscreen().catch(() => {});
    else video.webkitEnterFullscreen?.();
  }

  function openMenu(open) {
    menu.hidden = !open;
    gear.setAttribute('aria-expanded', String(open));
    if (open) menu.querySelector('select')?.focus();
  }
  const onPress = ({ target }) => { if (!menu.hidden && !menu.contains(target) && !gear.contains(target)) openMenu(false); };
  document.addEventListener('pointerdown', onPress);
  menu.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    event.preventDefault();
    openMenu(false);
    gear.focus();
  });

  // name gives a button the name and the sign of what a press does.
  function name(pressed, label, sign) {
    pressed.setAttribute('aria-label', label);
    pressed.title = label;
    pressed.replaceChildren(icon(sign));
  }
  const showPlay = () => (video.paused ? name(play, t.play, 'play') : name(play, t.pause, 'pause'));
  for (const event of ['play', 'pause', 'ended', 'emptied']) video.addEventListener(event, showPlay);
  function showVolume() {
    const silent = video.muted || video.volume === 0;
    name(mute, silent ? t.unmute : t.mute, silent ? 'muted' : 'volume');
    volume.value = String(silent ? 0 : video.volume);
  }
  video.addEventListener('volumechange', showVolume);
  const showTime = () => { time.textContent = `${clock(video.currentTime)} / ${clock(lengthOf(video, stated()))}`; };
  for (const event of ['timeupdate', 'seeking', 'durationchange', 'loadedmetadata']) video.addEventListener(event, showTime);

  captions.onChange(() => {
    captionsButton.hidden = !captions.list.length;
    captionsButton.setAttribute('aria-pressed', String(captions.on));
    captionLang.replaceChildren(...captions.list.map((one) => el('option', { value: one.lang }, labelOf(one))));
    captionLang.value = captions.lang;
    captionRows.forEach((row) => { row.hidden = !captions.list.length; });
    captionRows[0].hidden = captions.list.length < 2;
    gear.hidden = ![...menu.children].some((row) => !row.hidden);
  });

  video.volume = preference('volume', 1);
  setSpeed(SPEEDS.includes(preference('speed', 1)) ? preference('speed', 1) : 1);
  showPlay();
  showVolume();
  showTime();
  return {
    node, skip, seek, toggle, toggleFullscreen, stepSpeed,
    louder: (by) => { setVolume(video.volume + by * LOUDER); say(`${t.volume} ${Math.round(video.volume * 100)} %`); },
    // addChoice puts a row into the menu.
    addChoice(row) {
      menu.append(row);
      gear.hidden = false;
    },
    close() { document.removeEventListener('pointerdown', onPress); },
  };
}
