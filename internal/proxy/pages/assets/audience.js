// Who watched the lesson, for its teacher and for admins: how far each student came, which
// pieces are watched most, and who has not begun. For students nothing of it is requested.

import { BASE } from './addresses.js';
import { ask, fetchFile, request } from './api.js';
import { button, el, icon, saveFile } from './dom.js';
import { clock, count, moment, percent } from './format.js';
import { BUCKET } from './heat.js';
import { whenIdle } from './idle.js';
import { t } from './words.js';

const FRESH = 10000; // ms that what was loaded is shown again without asking
const PIECES = 5; // of the most watched that are listed
const MUCH = 0.8; // of the highest number of viewers, from which on a piece is watched much

// mostWatched are the longest pieces of buckets that are watched much, those with most viewers
// first: {from, to} in seconds, and the number of viewers that each second has at least.
export function mostWatched(buckets) {
  const much = Math.max(...buckets, 0) * MUCH;
  const pieces = [];
  buckets.forEach((viewers, i) => {
    if (!viewers || viewers < much) return;
    const last = pieces.at(-1);
    if (last?.to === i * BUCKET) Object.assign(last, { to: last.to + BUCKET, viewers: Math.min(last.viewers, viewers) });
    else pieces.push({ from: i * BUCKET, to: (i + 1) * BUCKET, viewers });
  });
  return pieces.sort((a, b) => b.viewers - a.viewers || b.to - b.from - (a.to - a.from)).slice(0, PIECES);
}

// offered() is called when there is an audience to show, and loaded(buckets) with the numbers of
// viewers whenever they were requested. length() is the lesson's, in seconds.
export function makeAudience(id, { seek, length, offered, loaded }) {
  const path = `recordings/${id}/audience/`;
  const summary = el('p.summary');
  const problem = el('p.problem', { role: 'alert', hidden: true });
  const table = button(t.audienceTable, download, { hidden: true }, icon('download'));
  const box = el('div.list.attendance', { tabindex: 0, role: 'group', 'aria-label': t.audience });
  const node = el('section.audience', {}, el('div.tools-row', {}, summary, table), problem, box);
  let loading = false;
  let at = 0; // when it was loaded

  node.addEventListener('shown', load);

  async function load() {
    if (loading || Date.now() - at < FRESH) return;
    loading = true;
    if (!at) summary.textContent = t.loading;
    try {
      const audience = await ask('GET', path);
      at = Date.now();
      problem.hidden = true;
      fill(audience);
      loaded(audience.buckets);
    } catch {
      complain(load);
    } finally {
      loading = false;
    }
  }

  function complain(again) {
    if (!at) summary.textContent = '';
    problem.replaceChildren(t.notLoaded, ' ', button(t.retry, again));
    problem.hidden = false;
  }

  async function download() {
    try {
      saveFile(await fetchFile(`${BASE}/${path}?format=csv`), `audience-${id}.csv`);
      problem.hidden = true;
    } catch {
      complain(download);
    }
  }

  function fill({ viewers, not_yet: notYet, buckets }) {
    const shares = viewers.map(({ watched }) => watched).filter((share) => share !== null);
    summary.textContent = viewers.length
      ? [t.audienceOf.replace('{0}', viewers.length).replace('{1}', viewers.length + notYet.length),
        shares.length && t.onAverage.replace('{0}', percent(shares.reduce((sum, share) => sum + share, 0) / shares.length))].filter(Boolean).join(', ')
      : t.nobodyYet;
    table.hidden = !viewers.length && !notYet.length;
    box.replaceChildren(
      ...part(t.mostWatched, mostWatched(buckets).map(({ from, to, viewers: some }) => el('button.row', { type: 'button', onclick: () => seek(from) },
        el('time', {}, `${clock(from)}–${clock(Math.min(to, length() || to))}`), el('span.said', {}, count(some, t.students))))),
      ...part(t.watchers, viewers.map(viewer)),
      ...part(t.notYet, notYet.map(({ name, email }) => el('p.who', {}, el('span', { dir: 'auto' }, name || email)))));
  }

  return {
    node,
    // offer asks whether the gateway shows who watched, once nothing else is to be done.
    offer: () => whenIdle(() => request(`${BASE}/${path}`, { method: 'HEAD', cache: 'no-store' }).then(offered, () => {})),
  };
}

const part = (heading, rows) => (rows.length ? [el('h2', {}, heading), el('ul', {}, rows.map((row) => el('li', {}, row)))] : []);

function viewer({ name, email, watched, position, last_seen: seen }) {
  const bar = el('span');
  bar.style.inlineSize = percentOf(watched);
  return el('div.who', {},
    el('span', { dir: 'auto' }, name || email), watched !== null && el('b', {}, percent(watched)),
    watched !== null && el('div.meter', { 'aria-hidden': 'true' }, bar),
    el('small', {}, t.stoppedAt.replace('{0}', moment(seen)).replace('{1}', clock(position))));
}

const percentOf = (share) => `${Math.round(share * 1000) / 10}%`;
