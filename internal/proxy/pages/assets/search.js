// Results of a search in titles and transcripts: each leads to the second at which it is said.

import { ask } from './api.js';
import { el, button, say } from './dom.js';
import { clock, count, fullDate } from './format.js';
import { notice, problemNotice } from './notice.js';
import { titleOf } from './recording.js';
import { skeleton } from './skeleton.js';
import { t } from './words.js';

const SHORTEST = 2; // characters, as the gateway counts them
export const LONGEST = 200;

// queryOf is what to search for, "" where there is too little of it.
export function queryOf(text) {
  const characters = [...text.trim()].slice(0, LONGEST);
  return characters.length < SHORTEST ? '' : characters.join('');
}

// makeResults shows a search. clear leaves it; counted(text) is called with the
// number of results, and lost() when the network went before another page of them.
export function makeResults({ clear, counted, lost }) {
  const list = el('div.lessons');
  const more = button(t.moreResults, () => load(), { class: 'more', hidden: true });
  const node = el('div.results', { hidden: true }, list, more);
  let query = '';
  let next = 0; // the page to fetch next, 0 = there is none
  let fetching = null;

  // search shows what is found. What is there stays, dimmed, until the answer comes.
  async function search(wanted) {
    if (wanted === query) return;
    stop();
    query = wanted;
    next = 1;
    if (!list.querySelector('.hit')) list.replaceChildren(skeleton());
    else list.classList.add('dim');
    await load();
  }

  function stop() {
    fetching?.abort();
    fetching = null;
    query = '';
    next = 0;
    more.hidden = true;
  }

  // An answer counts only while its question does.
  async function load() {
    if (!next || fetching) return;
    const mine = fetching = new AbortController();
    const first = next === 1;
    list.setAttribute('aria-busy', 'true');
    more.disabled = true;
    try {
      const page = await ask('GET', `search/?${new URLSearchParams(first ? { q: query } : { q: query, page: next })}`, { signal: mine.signal });
      if (mine !== fetching) return;
      if (first) begin(page);
      append(page.results);
      next = page.next ? next + 1 : 0;
      more.hidden = !next;
    } catch (problem) {
      if (mine !== fetching) return;
      if (first) fail(problem);
      else if (problem.code === 'offline') lost();
      else say(t.notLoaded);
    } finally {
      if (mine === fetching) {
        fetching = null;
        more.disabled = false;
        list.classList.remove('dim');
        list.removeAttribute('aria-busy');
      }
    }
  }

  function begin(page) {
    list.replaceChildren();
    const found = page.count ? count(page.count, t.results) : t.nothingTitle;
    say(found);
    counted(page.count ? found : '');
    if (page.count) list.append(el('ul', { 'aria-label': t.resultsOf.replace('{0}', query) }));
    else list.append(notice('search', t.nothingTitle, t.nothing, button(t.clear, clear)));
  }

  // append shows the places of a recording below its title, where the answer has them together.
  function append(hits) {
    const groups = new Map();
    for (const hit of hits) groups.set(hit.recording, [...(groups.get(hit.recording) || []), hit]);
    for (const places of groups.values()) list.querySelector('ul')?.append(lesson(places));
  }

  function fail(problem) {
    const again = query;
    query = '';
    counted('');
    list.replaceChildren(problemNotice(problem, () => search(again)));
  }

  return {
    node,
    search,
    more: () => load(),
    // forget drops the results, as somebody else perhaps is signed in.
    forget() {
      stop();
      list.replaceChildren();
    },
    stop,
  };
}

// lesson is a recording with the places that were found in it.
function lesson(places) {
  const [best] = places;
  const named = places.find((hit) => isTitle(hit));
  const info = best.lesson_info;
  const facts = [info?.teacher?.name, info?.group_name, info?.start_time && fullDate(info.start_time)].filter(Boolean);
  return el('li.hit', {},
    el('h2', {}, el('a', { href: address(best), dir: 'auto' }, named ? marked(named) : titleOf({ title: best.title, id: best.recording }))),
    el('p.meta', {}, facts.map((fact) => el('span', { dir: 'auto' }, fact))),
    places.some((hit) => !isTitle(hit)) && el('ol.places', {}, places.filter((hit) => !isTitle(hit)).map((hit) => el('li', {},
      el('a.place', { href: address(hit) }, el('span.at', {}, clock(hit.start)), el('span.said', { dir: 'auto' }, marked(hit)))))));
}

const isTitle = (hit) => !hit.start && hit.snippet === hit.title;
const address = (hit) => `/watch/${hit.recording}${isTitle(hit) ? '' : `#t=${Math.floor(hit.start)}`}`;

// marked is a snippet with its words marked. The marks count code points, and a string's
// own indexes halves of some of them.
function marked({ snippet, marks }) {
  const characters = Array.from(snippet);
  const parts = [];
  let at = 0;
  for (const [from, to] of marks || []) {
    parts.push(characters.slice(at, from).join(''), el('mark', {}, characters.slice(from, to).join('')));
    at = to;
  }
  return [...parts, characters.slice(at).join('')].filter((part) => part !== '');
}
