// The lessons before and after this one in its group, from the list that the library shows.

import { ask } from './api.js';
import { el, icon, button } from './dom.js';
import { playable, titleOf } from './recording.js';
import { LISTS } from './role.js';
import { t } from './words.js';

const PAGES = 10; // of twenty lessons; a group that has more shows no neighbours of its oldest

// findNeighbours asks for the group's lessons until it has seen this one and its neighbours.
async function findNeighbours(recording, role) {
  const group = recording.lesson_info?.group_id;
  if (!group || !LISTS[role]) return {};
  const list = [];
  for (let page = 1; page <= PAGES; page++) {
    const answer = await ask('GET', `${LISTS[role]}?group_id=${group}&page=${page}`);
    list.push(...answer.results.filter((one) => playable(one) && one.lesson_info?.group_id === group)); // others are shared with it
    const at = list.findIndex((one) => one.id === recording.id);
    if (!answer.next || (at >= 0 && at < list.length - 1)) break;
  }
  // A teacher's list is in the order of arrival.
  list.sort((a, b) => a.lesson_info.start_time.localeCompare(b.lesson_info.start_time) || a.id - b.id);
  const at = list.findIndex((one) => one.id === recording.id);
  return at < 0 ? {} : { previous: list[at - 1], next: list[at + 1] };
}

// makeNeighbours shows them below the lesson, and the next one at its end.
export function makeNeighbours(video, picture) {
  const node = el('nav.neighbours', { 'aria-label': t.neighbours, hidden: true });
  const card = el('div.next-card', { role: 'group', 'aria-label': t.nextLesson, hidden: true });
  picture.append(card);
  let next;
  const link = (lesson, kind, label, sign) => lesson && el(`a.${kind}`, { href: `/watch/${lesson.id}` }, icon(sign), el('span', {}, el('small', {}, label), el('span', { dir: 'auto' }, titleOf(lesson))));

  video.addEventListener('ended', () => { card.hidden = !next; });
  for (const name of ['playing', 'seeking']) video.addEventListener(name, () => { card.hidden = true; });

  return {
    node,
    async fill(recording, role) {
      const found = await findNeighbours(recording, role).catch(() => ({})); // a comfort
      next = found.next;
      node.replaceChildren(...[link(found.previous, 'previous', t.previousLesson, 'back'), link(next, 'next', t.nextLesson, 'forward')].filter(Boolean));
      node.hidden = !node.children.length;
      if (next) {
        card.replaceChildren(el('p', {}, t.nextLesson), el('p.title', { dir: 'auto' }, titleOf(next)),
          el('div.actions', {}, el('a.button.primary', { href: `/watch/${next.id}` }, icon('play'), t.play),
            button(t.again, () => { video.currentTime = 0; video.play().catch(() => {}); }, {}, icon('again'))));
      }
    },
  };
}
