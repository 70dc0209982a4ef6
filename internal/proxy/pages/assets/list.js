// A list of places in a lesson that follows the playback, by hand and by keyboard: the
// transcript's cues and the chapters.

import { indexAt } from './vtt.js';

const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };

// makeFollower keeps one row of box current. Rows are its buttons with the class row, in the
// order of items, which have a start each. One of them can be reached by Tab, the others by
// arrows. stopped(true) is called when the viewer scrolls away.
export function makeFollower(video, box, { stopped = () => {} } = {}) {
  let items = [];
  let rows = [];
  let now = -1;
  let follows = true;

  function follow(on) {
    if (follows === on) return;
    follows = on;
    stopped(!on);
    if (on) scrollTo(now);
  }
  for (const name of ['wheel', 'touchmove']) box.addEventListener(name, () => follow(false), { passive: true });
  box.addEventListener('pointerdown', (event) => { if (event.target === box) follow(false); }); // its scrollbar

  // scrollTo scrolls the box alone, never the page.
  function scrollTo(index) {
    const row = rows[index];
    if (!row || !box.clientHeight) return;
    const { top, bottom } = row.getBoundingClientRect();
    const frame = box.getBoundingClientRect();
    if (top >= frame.top + 8 && bottom <= frame.bottom - frame.height / 4) return;
    box.scrollTop += top - frame.top - frame.height / 3;
  }

  function mark() {
    const index = indexAt(items, video.currentTime + 0.05);
    if (index !== now) {
      rows[now]?.removeAttribute('aria-current');
      now = index;
      rows[now]?.setAttribute('aria-current', 'true');
      if (!box.contains(document.activeElement)) reach(Math.max(0, now));
    }
    if (follows && !box.contains(document.activeElement)) scrollTo(now);
  }
  for (const name of ['timeupdate', 'seeking']) video.addEventListener(name, mark);

  // reach makes a row the one that Tab goes to.
  function reach(index) {
    box.querySelector('.row[tabindex="0"]')?.setAttribute('tabindex', '-1');
    rows[index]?.setAttribute('tabindex', '0');
  }
  box.addEventListener('keydown', (event) => {
    const at = rows.indexOf(event.target);
    const step = STEPS[event.key];
    if (at < 0 || !step || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const next = Math.min(rows.length - 1, Math.max(0, at + step));
    reach(next);
    rows[next].focus();
  });
  box.addEventListener('focusin', ({ target }) => { if (rows.includes(target)) reach(rows.indexOf(target)); });

  return {
    follow, scrollTo, mark,
    // fill takes the rows that box has now.
    fill(list) {
      items = list;
      rows = [...box.querySelectorAll('.row')];
      now = -1;
      reach(0);
      mark();
    },
  };
}
