// The keys of the player. Most go by their place on the keyboard, so that they are the same
// keys in any alphabet; signs go by what they write.

import { STEP } from './controls.js';
import { lengthOf } from './length.js';

const FRAME = 1 / 25; // seconds; no browser says how long a frame lasts

// listenForKeys acts on keys wherever they mean nothing else, and returns what ends that.
export function listenForKeys(video, stage, { controls, captions, help, stated }) {
  const { toggle, skip, seek, stepSpeed, louder, toggleFullscreen } = controls;
  // frameOr steps through a picture that stands, and changes the speed of one that runs.
  const frameOr = (by) => (video.paused ? seek(video.currentTime + by * FRAME) : stepSpeed(by));
  const KEYS = {
    Space: toggle, KeyK: toggle, ArrowLeft: () => skip(-STEP), KeyJ: () => skip(-STEP), ArrowRight: () => skip(STEP), KeyL: () => skip(STEP),
    KeyM: () => { video.muted = !video.muted; }, KeyC: captions.toggle, KeyF: toggleFullscreen,
    'Shift+Comma': () => stepSpeed(-1), 'Shift+Period': () => stepSpeed(1), Comma: () => frameOr(-1), Period: () => frameOr(1),
    Home: () => skip(-video.currentTime), End: () => skip((lengthOf(video, stated()) || video.currentTime) - video.currentTime),
    ArrowUp: () => louder(1), ArrowDown: () => louder(-1),
  };
  for (let digit = 0; digit < 10; digit++) {
    KEYS[`Digit${digit}`] = KEYS[`Numpad${digit}`] = () => skip((lengthOf(video, stated()) * digit) / 10 - video.currentTime);
  }
  const SIGNS = { '<': () => stepSpeed(-1), '>': () => stepSpeed(1), '?': help };

  // ownKeys is whether what has the focus needs a key for itself: fields all of them, buttons
  // and links those that press them, lists those that move in them.
  function ownKeys(target, code) {
    if (target.closest('textarea, select, dialog[open], input:not([type="range"])')) return true;
    if (target.closest('button, a, summary') && ['Space', 'Enter'].includes(code)) return true;
    const moves = ['ArrowUp', 'ArrowDown', 'Home', 'End'].includes(code);
    return (target.closest('input, [role="tab"], [role="tablist"]') && (moves || code.startsWith('Arrow'))) || (target.closest('.list') && moves);
  }

  // The page scrolls by arrows once the picture is out of sight.
  const inSight = () => stage.getBoundingClientRect().bottom > 80;

  function onKey(event) {
    const { code, key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || ownKeys(target, code)) return;
    const act = SIGNS[key] || KEYS[(event.shiftKey ? 'Shift+' : '') + code];
    if (!act || (/^(Arrow(Up|Down)|Home|End)$/.test(code) && !inSight())) return;
    event.preventDefault();
    act();
  }
  document.addEventListener('keydown', onKey, true);
  return () => document.removeEventListener('keydown', onKey, true);
}
