// What is still being prepared, and why something failed. While there is anything
// the page asks again from time to time; what became ready goes into the list.

import { ask } from './api.js';
import { el, icon, button, say } from './dom.js';
import { moment } from './format.js';
import { reason, t } from './words.js';

const EVERY = 15000; // ms between two questions, while somebody looks

export function makePreparing(becameReady) {
  const list = el('ul');
  const node = el('section.preparing', { 'aria-label': t.preparing, hidden: true }, el('h2', {}, t.preparing), list);
  let items = [];
  let timer = 0;
  let aside = false; // the list itself shows them while it is filtered

  async function refresh(filtered = aside) {
    clearTimeout(timer);
    aside = filtered;
    const before = items.filter((item) => item.status !== 'failed').map((item) => item.id);
    try {
      const answer = await ask('GET', 'recordings/progress/');
      items = answer.results ?? [...answer];
    } catch {
      return; // the next show of the library asks again
    }
    draw();
    if (before.some((id) => !items.some((item) => item.id === id))) becameReady();
    if (items.some((item) => item.status !== 'failed')) timer = setTimeout(poll, EVERY);
  }

  const poll = () => { if (document.hidden) timer = setTimeout(poll, EVERY); else if (node.isConnected) refresh(); };

  function draw() {
    node.hidden = aside || !items.length;
    list.replaceChildren(...items.map(row));
  }

  function row(item) {
    const failed = item.status === 'failed';
    const since = item.updated_at || item.created_at;
    return el(`li.${failed ? 'failed' : 'processing'}`, {}, icon(failed ? 'alarm' : 'wait'),
      el('div.what', {}, el('h3', {}, item.title || t.untitled.replace('{0}', item.lesson ?? item.id)),
        el('p', {}, failed || item.reason ? reason(item.reason) : t.waiting, since && el('span.since', {}, t.since.replace('{0}', moment(since))))),
      el('span.chip', {}, failed ? t.failed : t.processing),
      failed && item.id ? button(t.resync, (event) => resync(item, event.currentTarget)) : null);
  }

  async function resync(item, pressed) {
    pressed.disabled = true;
    try {
      await ask('POST', `recordings/${item.id}/resync/`);
      say(t.resyncing);
      refresh();
    } catch (problem) {
      pressed.disabled = false;
      say(reason('unknown'));
    }
  }

  return {
    node,
    refresh,
    stop() { clearTimeout(timer); items = []; draw(); },
    shows: (id) => !aside && items.some((item) => item.id === id),
    // reasonOf is why a recording of the list failed, when that is known.
    reasonOf: (id) => items.find((item) => item.id === id)?.reason,
  };
}
