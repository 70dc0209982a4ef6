// The library: one's own recordings, newest first, found as one types; and for a
// teacher what is still being prepared, and how full the storage is.

import { ask } from './api.js';
import { makeCard } from './card.js';
import { el, icon, button, say } from './dom.js';
import { count, month } from './format.js';
import { notice, problemNotice } from './notice.js';
import { makePreparing } from './preparing.js';
import { makeStorage } from './storage.js';
import { session } from './session.js';
import { t } from './words.js';

const LISTS = { student: 'recordings/', teacher: 'recordings/teacher/' };
const PRELOADED = 100; // lessons are fetched in idle time up to this many, the rest as one scrolls
const whenIdle = window.requestIdleCallback || ((f) => setTimeout(f, 300));

export function makeLibrary() {
  let role = '';
  let loaded = false;
  let filters = { search: '', group_id: '', status: '' };
  let next = 0; // the page to fetch next, 0 = there is none
  let shown = new Set();
  let fetching = null;
  const groups = new Map();

  const search = el('input', { type: 'search', id: 'search', placeholder: t.search, 'aria-label': t.search, autocomplete: 'off', enterkeyhint: 'search', oninput: () => later() });
  const group = el('select', { 'aria-label': t.group, onchange: () => reload() }, el('option', { value: '' }, t.allGroups));
  const status = el('select', { 'aria-label': t.status, onchange: () => reload() }, Object.entries(t.statuses).map(([value, name]) => el('option', { value }, name)));
  const total = el('p.total', { 'aria-hidden': 'true' });
  const list = el('div.lessons');
  const more = button(t.more, () => load(), { class: 'more', hidden: true });
  const storage = makeStorage();
  const preparing = makePreparing(() => reload());
  const node = el('div.library', {},
    el('div.title-row', {}, el('h1', {}, t.library), total),
    el('form.tools', { role: 'search', onsubmit: (event) => event.preventDefault() }, el('div.search', {}, icon('search'), search), group, status),
    storage.node, preparing.node, list, more);
  group.hidden = status.hidden = true;

  let timer = 0;
  function later() {
    clearTimeout(timer);
    timer = setTimeout(reload, 250);
  }

  const filtered = () => Object.values(filters).some(Boolean);

  // reload starts over with what the fields say. What is there stays, dimmed,
  // until the answer comes: a list that blinks at each letter helps nobody.
  async function reload() {
    clearTimeout(timer);
    fetching?.abort();
    filters = { search: search.value.trim(), group_id: group.value, status: status.value };
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
      if (fresh && role === 'teacher') await preparing.refresh(filtered());
      if (mine.signal.aborted) return;
      if (fresh) begin(page);
      append(page.results);
      next = page.next ? next + 1 : 0;
      more.hidden = !next;
      if (next && shown.size < PRELOADED) whenIdle(() => { if (mine === fetching || !fetching) load(); });
    } catch (problem) {
      if (problem.name === 'AbortError') return;
      more.hidden = !next || fresh;
      if (fresh || ['token_not_valid', 'not_authenticated'].includes(problem.code)) tellProblem(problem);
    } finally {
      if (fetching === mine) fetching = null;
      list.classList.remove('dim');
      list.removeAttribute('aria-busy');
    }
  }

  // fetchPage asks the list of the role; who that is the gateway alone knows, so
  // the first question is tried both ways.
  async function fetchPage(page, signal) {
    const query = new URLSearchParams(Object.entries({ ...filters, page: page > 1 ? page : '' }).filter(([, value]) => value));
    const order = role ? [role] : session.role === 'teacher' ? ['teacher', 'student'] : ['student', 'teacher'];
    for (const candidate of order) {
      try {
        const answer = await ask('GET', `${LISTS[candidate]}${query.size ? '?' : ''}${query}`, { signal });
        session.role = role = candidate;
        return answer;
      } catch (problem) {
        if (problem.status !== 403 || candidate === order.at(-1)) throw problem;
      }
    }
  }

  function begin(page) {
    shown = new Set();
    list.replaceChildren();
    total.textContent = page.count ? count(page.count, t.found) : '';
    if (filtered()) say(page.count ? count(page.count, t.found) : t.nothingTitle);
    if (!page.count) list.append(filtered() ? nothingFound() : notice('lectern', t.emptyTitle, role === 'teacher' ? t.emptyTeacher : t.emptyStudent));
    status.hidden = role !== 'teacher';
    if (role === 'teacher') storage.refresh();
  }

  function nothingFound() {
    return notice('search', t.nothingTitle, t.nothing, button(t.clear, () => {
      search.value = group.value = status.value = '';
      reload();
      search.focus();
    }));
  }

  // append puts recordings under headings of their months. Lists are by the
  // lesson's start for students, by arrival for teachers.
  function append(recordings) {
    for (const recording of recordings) {
      if (shown.has(recording.id)) continue; // a new one moved the pages on by one
      shown.add(recording.id);
      learnGroups(recording);
      if (preparing.shows(recording.id)) continue; // above the list already
      const at = role === 'teacher' ? recording.created_at : recording.lesson_info?.start_time;
      const heading = at ? month(at) : t.otherVideos;
      let section = list.lastElementChild;
      if (section?.dataset.heading !== heading) {
        section = el('section', { 'data-heading': heading, 'aria-label': heading }, el('h2', {}, heading), el('ul'));
        list.append(section);
      }
      section.lastElementChild.append(makeCard(recording, role, { preparing, changed: () => storage.refresh() }));
    }
  }

  function learnGroups({ lesson_info: lesson, access_groups: access }) {
    const before = groups.size;
    if (lesson) groups.set(String(lesson.group_id), lesson.group_name);
    for (const { id, name } of access || []) groups.set(String(id), name);
    if (groups.size === before) return;
    const chosen = group.value;
    const byName = [...groups].sort((a, b) => a[1].localeCompare(b[1]));
    group.replaceChildren(el('option', { value: '' }, t.allGroups), ...byName.map(([value, name]) => el('option', { value }, name)));
    group.value = chosen;
    group.hidden = groups.size < 2;
  }

  function tellProblem(problem) {
    shown = new Set();
    next = 0;
    more.hidden = true;
    total.textContent = '';
    preparing.stop();
    if (problem.code === 'no_access') list.replaceChildren(notice('key', t.adminTitle, t.admin));
    else list.replaceChildren(problemNotice(problem, reload));
  }

  // The end of the list coming into sight is as good as pressing its button.
  new IntersectionObserver(([end]) => { if (end.isIntersecting) load(); }, { rootMargin: '600px' }).observe(more);

  return {
    node,
    show() {
      node.classList.toggle('signed-out', !session.token);
      if (!session.token) {
        list.replaceChildren(notice('key', t.signInTitle, t.signIn, el('p.hint', {}, t.signInWhy)));
        return;
      }
      if (loaded) {
        list.querySelectorAll('.lesson').forEach((card) => card.dispatchEvent(new Event('look')));
        if (role === 'teacher') preparing.refresh(filtered());
        return;
      }
      loaded = true;
      reload();
    },
    // forget makes the next show start over, as somebody else perhaps.
    forget() {
      role = '';
      loaded = false;
      groups.clear();
      shown = new Set();
      search.value = group.value = status.value = '';
      preparing.stop();
    },
  };
}

function skeleton() {
  const row = () => el('li.lesson.skeleton', {}, el('span.bone.date'), el('div.what', {}, el('span.bone.long'), el('span.bone.short')));
  return el('section', { 'aria-label': t.loading }, el('span.bone.heading'), el('ul', { 'aria-hidden': 'true' }, [0, 1, 2, 3, 4].map(row)));
}
