// One's own recordings by month, newest first, page after page as one scrolls.

import { ask } from './api.js';
import { makeCard } from './card.js';
import { el, button } from './dom.js';
import { month } from './format.js';
import { whenIdle } from './idle.js';
import { fetchPlaces } from './places.js';
import { LISTS, learnRole } from './role.js';
import { session } from './session.js';
import { skeleton } from './skeleton.js';
import { t } from './words.js';

const PRELOADED = 100; // lessons are fetched in idle time up to this many, the rest as one scrolls

// makeLessonList shows what filters() lets through. on: begin(page, role) before the first
// page is shown, each(recording) for every recording of the list, shown() after the first page,
// placed() when another device has gone on with a lesson of the list, failed(problem) when there
// is none, and lost() when the network went before another page.
export function makeLessonList({ filters, preparing, changed, on }) {
  const list = el('div.lessons');
  const more = button(t.more, () => load(), { class: 'more', hidden: true });
  let next = 0; // the page to fetch next, 0 = there is none
  let shown = new Set();
  let fetching = null;

  // reload starts over. What is there stays, dimmed, until the answer comes: a list that
  // blinks helps nobody.
  async function reload() {
    fetching?.abort();
    next = 1;
    list.classList.toggle('dim', shown.size > 0);
    if (!shown.size) list.replaceChildren(skeleton());
    await load(true);
  }

  async function load(fresh = false) {
    if (!next || (fetching && !fresh)) return;
    const mine = fetching = new AbortController();
    list.setAttribute('aria-busy', 'true');
    try {
      const page = await fetchPage(next, mine.signal);
      if (fresh && session.role === 'teacher') await preparing.refresh(filtered());
      if (mine.signal.aborted) return;
      if (fresh) {
        shown = new Set();
        list.replaceChildren();
        on.begin(page, session.role);
      }
      append(page.results);
      fetchPlaces(page.results.map((recording) => recording.id)).then((news) => { if (news && !mine.signal.aborted) on.placed(); });
      if (fresh && !filtered()) on.shown();
      next = page.next ? next + 1 : 0;
      more.hidden = !next;
      if (next && shown.size < PRELOADED) whenIdle(() => { if (mine === fetching || !fetching) load(); });
    } catch (problem) {
      if (mine.signal.aborted) return;
      more.hidden = !next || fresh;
      if (fresh || ['token_not_valid', 'not_authenticated'].includes(problem.code)) {
        empty();
        on.failed(problem);
      } else if (problem.code === 'offline') on.lost();
    } finally {
      if (fetching === mine) fetching = null;
      list.classList.remove('dim');
      list.removeAttribute('aria-busy');
    }
  }

  // filtered reports whether any filter is set.
  const filtered = () => Object.values(filters()).some(Boolean);

  // fetchPage asks the list of the role. Who was made a teacher since is asked for afresh.
  async function fetchPage(page, signal) {
    try {
      return await fetchAs(await learnRole(), page, signal);
    } catch (problem) {
      if (problem.status !== 403 || page > 1) throw problem;
      const before = session.role;
      const role = await learnRole({ afresh: true });
      if (role === before) throw problem;
      return fetchAs(role, page, signal);
    }
  }

  function fetchAs(role, page, signal) {
    const query = new URLSearchParams(Object.entries({ ...filters(), page: page > 1 ? page : '' }).filter(([, value]) => value));
    if (!LISTS[role]) return { count: 0, results: [] };
    return ask('GET', `${LISTS[role]}${query.size ? '?' : ''}${query}`, { signal });
  }

  // append puts recordings under headings of their months. Lists are by the
  // lesson's start for students, by arrival for teachers.
  function append(recordings) {
    const role = session.role;
    for (const recording of recordings) {
      if (shown.has(recording.id)) continue; // a new one moved the pages on by one
      shown.add(recording.id);
      on.each(recording);
      if (preparing.shows(recording.id)) continue; // above the list already
      const at = role === 'teacher' ? recording.created_at : recording.lesson_info?.start_time;
      const heading = at ? month(at) : t.otherVideos;
      let section = list.lastElementChild;
      if (section?.dataset.heading !== heading) {
        section = el('section', { 'data-heading': heading, 'aria-label': heading }, el('h2', {}, heading), el('ul'));
        list.append(section);
      }
      section.lastElementChild.append(makeCard(recording, role, { preparing, changed }));
    }
  }

  function empty() {
    fetching?.abort();
    shown = new Set();
    next = 0;
    more.hidden = true;
    list.replaceChildren();
  }

  // The end of the list coming into sight is as good as pressing its button.
  new IntersectionObserver(([end]) => { if (end.isIntersecting) load(); }, { rootMargin: '600px' }).observe(more);

  return {
    node: [list, more],
    reload,
    filtered,
    more: () => load(),
    empty,
    // showNotice shows a notice in place of the lessons.
    showNotice(notice) { list.append(notice); },
    // look has each card show again what may have changed.
    look() { list.querySelectorAll('.lesson').forEach((card) => card.dispatchEvent(new Event('look'))); },
  };
}
