// The help: the keys, the gestures, and what is stored of the viewer.

import { el, button } from './dom.js';
import { t } from './words.js';

export function makeHelp() {
  const node = el('dialog.help', { 'aria-label': t.help },
    el('h2', {}, t.keys),
    el('dl', {}, t.keyList.map(([keys, does]) => el('div', {}, el('dt', {}, keys), el('dd', {}, does)))),
    el('h2', {}, t.stored), el('p', {}, t.storedHere),
    button(t.close, () => node.close(), { class: 'primary' }));
  // A press beside the dialog closes it: its own box is all that its children cover.
  node.addEventListener('click', (event) => { if (event.target === node) node.close(); });
  return { node, open() { if (!node.open) node.showModal(); } };
}
