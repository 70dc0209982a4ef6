// The files of a lesson that the player itself has no use for: chat, summaries, polls, further
// views, and what else Zoom gave. Chats and summaries are read here. Teachers choose what students see.

import { ask } from './api.js';
import { parseChat, parseSummary } from './documents.js';
import { el, icon } from './dom.js';
import { clock, size } from './format.js';
import { t } from './words.js';

const KINDS = ['summary', 'chat', 'poll', 'view', 'other'];
const DECIDED = ['summary', 'chat', 'poll', 'other']; // by the teacher, whether students see them
const THIN = 'low'; // the label of a view that is the recording itself, for slow lines

// read(name) fetches what belongs to the recording, address(name) is a link to it, and
// found(has) is called with whether there are files to show.
export function makeFiles(id, { seek, read, address, found }) {
  const problem = el('p.problem', { role: 'alert', hidden: true });
  const box = el('ul.list.files', { 'aria-label': t.files });
  const node = el('section.files-part', {}, problem, box);

  // fill takes the recording's companions.
  function fill(companions) {
    const list = companions.filter(({ kind, label }) => KINDS.includes(kind) && label !== THIN)
      .sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind));
    box.replaceChildren(...list.map((one) => {
      const alike = list.filter(({ kind }) => kind === one.kind);
      return el('li', {}, file(one, nameOf(one, alike), alike.length === 1));
    }));
    found(list.length > 0);
  }

  function file(one, name, alone) {
    const path = `companions/${one.id}/stream/`;
    const link = el('a', { target: '_blank', rel: 'noopener', href: address(path), onclick: () => { link.href = address(path); } }, icon('download'), el('span', { dir: 'auto' }, name), el('small', {}, size(one.size)));
    return [link, one.kind === 'chat' && shown(path, (source) => chat(source, alone)), one.kind === 'summary' && shown(path, summary), 'shared' in one && DECIDED.includes(one.kind) && sharing(one)];
  }

  // shown is a file's text as elements, read once somebody opens it.
  function shown(path, describe) {
    const inside = el('div');
    let opened = false;
    async function open() {
      if (opened) return;
      opened = true;
      try {
        const source = await (await read(path)).text();
        inside.replaceChildren(...describe(source));
      } catch {
        opened = false;
        inside.replaceChildren(t.notLoaded);
      }
    }
    return el('details', { ontoggle: open }, el('summary', {}, t.readHere), inside);
  }

  // chat lists the messages. The times of one of several chats count from the beginning of its
  // own part of the lesson: they lead nowhere.
  function chat(source, alone) {
    const messages = parseChat(source).map(({ start, who, text }) => {
      const words = [el('time', {}, clock(start)), el('span.said', { dir: 'auto' }, el('b', {}, who), el('span.text', {}, text))];
      return el('li', {}, alone ? el('button.row', { type: 'button', onclick: () => seek(start) }, words) : el('div.row', {}, words));
    });
    return [messages.length ? el('ul', {}, messages) : el('p.text', { dir: 'auto' }, source)];
  }

  function sharing(one) {
    const choice = el('input', { type: 'checkbox', checked: one.shared, onchange: choose });
    async function choose() {
      choice.disabled = true;
      problem.hidden = true;
      try {
        choice.checked = (await ask('PATCH', `recordings/${id}/companions/${one.id}/`, { body: { shared: choice.checked } })).shared;
      } catch (refused) {
        choice.checked = !choice.checked;
        problem.textContent = `${t.notSaved} ${refused.detail}`;
        problem.hidden = false;
      }
      choice.disabled = false;
      choice.focus();
    }
    return el('label', {}, choice, t.studentsSee);
  }

  return { node, fill };
}

function summary(source) {
  const { paragraphs, steps } = parseSummary(source);
  return [
    ...paragraphs.map(({ heading, text }) => el('p', { dir: 'auto' }, heading && el('b', {}, heading), el('span.text', {}, text))),
    ...(steps.length ? [el('p', {}, el('b', {}, t.nextSteps)), el('ul.steps', {}, steps.map((step) => el('li', { dir: 'auto' }, step)))] : []),
  ];
}

// nameOf names a file by its kind, or by what Zoom calls it where its kind says little.
function nameOf({ kind, label }, alike, at = alike.findIndex((one) => one.label === label)) {
  if (['view', 'other'].includes(kind) && label) return label;
  return alike.length > 1 ? `${t.fileKinds[kind]} ${at + 1}` : t.fileKinds[kind];
}
