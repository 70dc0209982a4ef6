// The stage: the picture and what lies on it. A press plays and pauses, two presses at a side
// skip, and where the controls lie on the picture they go away while it plays.

import { STEP } from './controls.js';
import { el, icon, button } from './dom.js';
import { t } from './words.js';

const DOUBLE = 280; // ms within which two taps are one gesture
const IDLE = 3000; // ms without a move after which the controls go away

export function makeStage(video, { toggle, skip, toggleFullscreen }) {
  const still = el('canvas', { 'aria-hidden': 'true', hidden: true });
  const poster = el('img.poster', { alt: '', hidden: true, fetchpriority: 'low' });
  const big = button('', toggle, { class: 'big-play', 'aria-label': t.play }, icon('play'));
  const caption = el('div.caption', { 'aria-hidden': 'true' });
  const flash = el('div.flash', { 'aria-hidden': 'true', hidden: true });
  const soundOnly = el('div.sound-only', { hidden: true }, icon('sound'), el('p', {}, t.soundOnly));
  const picture = el('div.picture', {}, video, still, poster, soundOnly, caption, flash, el('div.spinner', { 'aria-hidden': 'true' }), big);
  const over = el('div.over', { hidden: true });
  const node = el('div.stage', {}, picture, over);

  let timer = 0;
  // wake shows the controls again for a while. Only style.css knows where they lie on the picture.
  function wake() {
    node.classList.remove('idle');
    clearTimeout(timer);
    timer = setTimeout(() => { if (!video.paused && !node.querySelector('.seekbar:active')) node.classList.add('idle'); }, IDLE);
  }
  for (const name of ['pointermove', 'focusin', 'keydown']) node.addEventListener(name, wake);
  for (const name of ['play', 'pause', 'seeking']) video.addEventListener(name, wake);

  const mark = (name, on) => node.classList.toggle(name, on);
  video.addEventListener('waiting', () => mark('waiting', true));
  for (const name of ['playing', 'canplay', 'pause', 'error', 'emptied']) video.addEventListener(name, () => mark('waiting', false));
  for (const name of ['play', 'pause', 'emptied']) video.addEventListener(name, () => mark('playing', !video.paused));
  for (const name of ['playing', 'seeking']) video.addEventListener(name, () => { poster.hidden = true; });

  // A tap waits for a second one, which skips at a side; a mouse acts at once.
  let tapped = 0;
  let finger = false; // older browsers do not say it of a click
  let wasIdle = false;
  picture.addEventListener('pointerdown', ({ pointerType }) => {
    finger = pointerType === 'touch';
    wasIdle = node.classList.contains('idle');
  });
  let single = 0;
  picture.addEventListener('click', (event) => {
    if (event.target.closest('button')) return;
    if (!finger) return toggle();
    const { left, width } = picture.getBoundingClientRect();
    const side = (event.clientX - left) / width;
    clearTimeout(single);
    if (event.timeStamp - tapped < DOUBLE && (side < 0.35 || side > 0.65)) {
      tapped = event.timeStamp; // a third tap skips again
      return flashAt(side < 0.5 ? -STEP : STEP);
    }
    tapped = event.timeStamp;
    single = setTimeout(tap, DOUBLE);
  });
  picture.addEventListener('dblclick', (event) => {
    if (!finger && !event.target.closest('button')) toggleFullscreen();
  });

  function tap() {
    const overlaid = getComputedStyle(node).getPropertyValue('--overlaid').trim();
    if (!overlaid || video.paused) toggle();
    else if (!wasIdle) node.classList.add('idle');
  }

  function flashAt(by) {
    skip(by);
    flash.className = `flash ${by < 0 ? 'left' : 'right'}`;
    flash.textContent = `${by < 0 ? '−' : '+'}${STEP}`;
    flash.hidden = false;
    flash.getAnimations().forEach((animation) => { animation.cancel(); animation.play(); });
    clearTimeout(flash.timer);
    flash.timer = setTimeout(() => { flash.hidden = true; }, 600);
  }

  return {
    node, over, caption, picture,
    // showPoster shows the picture of the lesson until it moves; without one there is none.
    showPoster(src) {
      if (!poster.getAttribute('src')) {
        poster.addEventListener('load', () => { poster.hidden = !video.paused || video.currentTime > 0; });
        poster.src = src;
      }
    },
    // freeze shows the picture on the screen until the video is back where it was.
    freeze() {
      if (!video.videoWidth) return;
      Object.assign(still, { width: video.videoWidth, height: video.videoHeight });
      still.getContext('2d')?.drawImage(video, 0, 0);
      still.hidden = false;
      const thaw = () => { still.hidden = true; };
      for (const name of ['seeked', 'error', 'playing']) video.addEventListener(name, thaw, { once: true });
    },
    thaw() { still.hidden = true; },
    showSoundOnly(on) { soundOnly.hidden = !on; },
    close() { clearTimeout(timer); clearTimeout(single); },
  };
}
