// The lessons that were begun and not finished, the last one first.

import { ask } from './api.js';
import { unfinished } from './card.js';
import { el } from './dom.js';
import { clock } from './format.js';
import { recentPlaces } from './places.js';
import { makePoster, progressBar } from './posters.js';
import { playable, titleOf } from './recording.js';
import { t } from './words.js';

const MOST = 3;
const TRIED = 6; // of those last watched; some may be gone, or over

// makeContinuing shows them. known(id) is a recording that the list has shown already.
export function makeContinuing(known) {
  const list = el('ul');
  const node = el('section.continuing', { 'aria-label': t.continuing, hidden: true }, el('h2', {}, t.continuing), list);
  let latest = 0;

  async function refresh() {
    const mine = ++latest;
    const begun = recentPlaces().filter((place) => unfinished(place)).slice(0, TRIED);
    const found = [];
    for (const place of begun) {
      if (found.length === MOST) break;
      const recording = known(place.id) || await ask('GET', `recordings/${place.id}/`).catch(() => null);
      if (mine !== latest) return;
      if (recording && playable(recording)) found.push([recording, place]);
    }
    list.replaceChildren(...found.map(([recording, place]) => item(recording, place)));
    node.hidden = !found.length;
  }

  return {
    node,
    refresh,
    clear() {
      latest++;
      list.replaceChildren();
      node.hidden = true;
    },
  };
}

function item(recording, { at, of }) {
  return el('li', {}, makePoster(recording, progressBar(at / of)),
    el('h3', {}, el('a', { href: `/watch/${recording.id}`, dir: 'auto' }, titleOf(recording))),
    el('p.meta', {}, t.left.replace('{0}', clock(of - at))));
}
