// Find in the transcript. The browser's own search stays what it is.

import { el, icon, button } from './dom.js';
import { count } from './format.js';
import { t } from './words.js';

// folded is a text as it is searched: without letter case, and with ё as people type it.
const folded = (text) => text.toLowerCase().replace(/ё/g, 'е');

// makeFind searches the texts of rows. reveal(index) brings a row into sight.
export function makeFind(reveal) {
  const field = el('input', { type: 'search', 'aria-label': t.find, placeholder: t.find, autocomplete: 'off', spellcheck: 'false', maxlength: 200, oninput: () => search() });
  const total = el('output', { 'aria-live': 'polite' });
  const previous = button('', () => step(-1), { class: 'quiet', 'aria-label': t.findPrevious, title: t.findPrevious, disabled: true }, icon('up'));
  const next = button('', () => step(1), { class: 'quiet', 'aria-label': t.findNext, title: t.findNext, disabled: true }, icon('down'));
  const node = el('div.find', { role: 'search' }, icon('search'), field, total, previous, next);
  let texts = []; // {node, text} of each row
  let hits = []; // {row, marks}
  let at = 0;

  field.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') step(event.shiftKey ? -1 : 1);
    else if (event.key === 'Escape' && field.value) { field.value = ''; search(); } else return;
    event.preventDefault();
  });

  function search() {
    for (const { row } of hits) texts[row].node.replaceChildren(texts[row].text);
    const wanted = folded(field.value.trim());
    hits = wanted.length < 2 ? [] : texts.flatMap(({ node: into, text }, row) => mark(into, text, wanted).map((made) => ({ row, made })));
    at = 0;
    previous.disabled = next.disabled = !hits.length;
    total.textContent = wanted.length < 2 ? '' : t.nothingFound;
    if (hits.length) show();
  }

  // mark wraps the hits of a row, and gives them.
  function mark(into, text, wanted) {
    const plain = folded(text);
    if (plain.length !== text.length) return []; // letters that change their number when folded
    const pieces = [];
    let from = 0;
    for (let i = plain.indexOf(wanted); i >= 0; i = plain.indexOf(wanted, from)) {
      pieces.push(text.slice(from, i), el('mark', {}, text.slice(i, i + wanted.length)));
      from = i + wanted.length;
    }
    if (from) into.replaceChildren(...pieces, text.slice(from));
    return pieces.filter((piece) => piece.tagName === 'MARK');
  }

  function show() {
    hits.forEach(({ made }, i) => made.classList.toggle('here', i === at));
    total.textContent = t.foundOf.replace('{0}', at + 1).replace('{1}', count(hits.length, ['#']));
    reveal(hits[at].row);
  }

  function step(by) {
    if (!hits.length) return;
    at = (at + by + hits.length) % hits.length;
    show();
  }

  return {
    node,
    // fill takes the rows' texts, and searches them again.
    fill(rows) {
      hits = [];
      texts = rows;
      search();
    },
  };
}
