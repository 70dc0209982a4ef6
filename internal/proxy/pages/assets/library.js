// The library: one's own recordings, newest first, or what a search finds; and for a
// teacher what is still being prepared, and how full the storage is.

import { makeContinuing } from './continuing.js';
import { el, icon, button, say } from './dom.js';
import { count } from './format.js';
import { makeLessonList } from './lessonlist.js';
import { notice, problemNotice, signInLink, signInText } from './notice.js';
import { makeOffline } from './offline.js';
import { makePreparing } from './preparing.js';
import { LONGEST, makeResults, queryOf } from './search.js';
import { session } from './session.js';
import { makeStorage } from './storage.js';
import { t } from './words.js';

const PAUSE = 250; // ms without a key, after which a search begins

export function makeLibrary() {
  let loaded = false;
  let found = ''; // how much the list has
  const groups = new Map();
  const known = new Map(); // recordings that the list has, by id

  const search = el('input', { type: 'search', id: 'search', name: 'q', placeholder: t.search, 'aria-label': t.search, maxlength: LONGEST, autocomplete: 'off', enterkeyhint: 'search', dir: 'auto', oninput: () => later() });
  const group = el('select', { 'aria-label': t.group, onchange: () => lessons.reload() }, el('option', { value: '' }, t.allGroups));
  const status = el('select', { 'aria-label': t.status, onchange: () => lessons.reload() }, Object.entries(t.statuses).map(([value, name]) => el('option', { value }, name)));
  const total = el('p.total', { 'aria-hidden': 'true' });
  const signIn = () => notice('key', t.signInTitle, signInText(t.signIn), ...signInLink());
  const signedOut = el('div'); // what the library shows while nobody is signed in
  const storage = makeStorage();
  const preparing = makePreparing(() => lessons.reload());
  const filters = () => ({ group_id: group.value, status: status.value });
  const lessons = makeLessonList({ filters, preparing, changed: () => storage.refresh(), on: { begin, each: learn, shown: () => continuing.refresh(), placed, failed, lost: () => offline.lose() } });
  const continuing = makeContinuing((id) => known.get(id));
  const results = makeResults({ clear, counted: (text) => { total.textContent = text; }, lost: () => offline.lose() });
  const offline = makeOffline(() => (results.node.hidden ? lessons : results).more());
  const browse = el('div.browse', {}, storage.node, preparing.node, continuing.node, lessons.node);
  const tools = el('form.tools', { role: 'search', onsubmit: (event) => { event.preventDefault(); searchNow(); } },
    el('div.search', {}, icon('search'), search), group, status);
  const node = el('div.library', {}, el('div.title-row', {}, el('h1', {}, t.library), total), offline.node, tools, browse, results.node, signedOut);
  group.hidden = status.hidden = true;

  let timer = 0;
  function later() {
    clearTimeout(timer);
    timer = setTimeout(searchNow, PAUSE);
  }

  // searchNow shows what the field says, and keeps it in the address: a reload, a bookmark
  // and the way back from a lesson find it there. The first letters are a step of the
  // browser's history, the following ones none.
  function searchNow() {
    clearTimeout(timer);
    const query = queryOf(search.value);
    const before = queryInAddress();
    if (query !== before) {
      const address = query ? `/?${new URLSearchParams({ q: query })}` : '/';
      history[query && !before ? 'pushState' : 'replaceState'](history.state, '', address);
    }
    showMode();
  }

  const queryInAddress = () => queryOf(new URLSearchParams(location.search).get('q') || '');

  // placed shows places that another device has reported.
  function placed() {
    lessons.look();
    continuing.refresh();
  }

  // showMode shows the results of the search in the address, or the lessons.
  function showMode() {
    const query = queryInAddress();
    browse.hidden = Boolean(query);
    results.node.hidden = !query;
    showFilters();
    document.title = `${query ? `${query} · ` : ''}${t.library} · ${t.brand}`;
    if (query) return results.search(query);
    results.stop();
    total.textContent = found;
    if (loaded) return undefined;
    loaded = true;
    return lessons.reload();
  }

  function showFilters() {
    const searching = Boolean(queryInAddress());
    group.hidden = searching || groups.size < 2;
    status.hidden = searching || session.role !== 'teacher';
  }

  function clear() {
    search.value = '';
    searchNow();
    search.focus();
  }

  function begin(page, role) {
    found = page.count ? count(page.count, t.found) : '';
    total.textContent = found;
    if (lessons.filtered()) say(found || t.nothingTitle);
    if (!page.count) lessons.showNotice(nothingHere(role));
    showFilters();
    if (role === 'teacher') storage.refresh();
  }

  function nothingHere(role) {
    if (lessons.filtered()) {
      return notice('search', t.nothingTitle, t.nothing, button(t.clear, () => {
        group.value = status.value = '';
        lessons.reload();
        search.focus();
      }));
    }
    const texts = { teacher: [t.emptyTitle, t.emptyTeacher], student: [t.emptyTitle, t.emptyStudent] }[role];
    return texts ? notice('lectern', ...texts) : notice('search', t.adminTitle, t.admin);
  }

  function learn(recording) {
    known.set(recording.id, recording);
    learnGroups(recording);
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
    showFilters();
  }

  function failed(problem) {
    found = '';
    total.textContent = '';
    preparing.stop();
    lessons.showNotice(problemNotice(problem, () => lessons.reload()));
  }

  return {
    node,
    show() {
      const { signedIn } = session;
      signedOut.replaceChildren(...signedIn ? [] : [session.refused ? problemNotice({ code: session.refused }) : signIn()]);
      tools.hidden = browse.hidden = results.node.hidden = !signedIn;
      if (!signedIn) return;
      if (loaded) {
        lessons.look();
        continuing.refresh();
        if (session.role === 'teacher') preparing.refresh(lessons.filtered());
      }
      search.value = queryInAddress();
      showMode();
    },
    // forget makes the next show start over, as somebody else perhaps.
    forget() {
      loaded = false;
      found = '';
      groups.clear();
      known.clear();
      continuing.clear();
      group.value = status.value = '';
      preparing.stop();
      storage.node.hidden = true;
      lessons.empty();
      results.forget();
    },
  };
}
