// The chapters: a list that follows the playback, and its editor for teachers.

import { put } from './api.js';
import { el, icon, button, say } from './dom.js';
import { clock } from './format.js';
import { makeFollower } from './list.js';
import { t } from './words.js';

const TITLE = 200; // code points of a title

// readClock is a place as people write it, 1:02:03 or 62.5; NaN for anything else.
const readClock = (text) => (/^\d+(:[0-5]?\d){0,2}(\.\d+)?$/.test(text.trim()) ? text.trim().split(':').reduce((sum, part) => sum * 60 + Number(part), 0) : NaN);

// changed(list, editable) is called with the chapters whenever there are others, and once the
// viewer may edit them.
export function makeChapters(video, id, { seek, changed }) {
  const box = el('ol.list.chapters', { 'aria-label': t.chapters });
  const edit = button(t.editChapters, () => openEditor(), { class: 'correct', hidden: true }, icon('edit'));
  const node = el('section.chapters-part', {}, box, edit);
  const follower = makeFollower(video, box);
  node.addEventListener('shown', follower.mark);
  let list = [];
  let editable = false;

  box.addEventListener('click', ({ target }) => {
    const row = target.closest('.row');
    if (row) seek(list[[...box.children].indexOf(row.parentElement)].start);
  });

  function fill(chapters) {
    list = chapters;
    box.replaceChildren(...list.map(({ start, title }) => el('li', {}, el('button.row', { type: 'button', tabindex: '-1' },
      el('time', {}, clock(start)), el('span.said', { dir: 'auto' }, title)))));
    box.hidden = !list.length;
    follower.fill(list);
    changed(list, editable);
  }

  function openEditor() {
    const problem = el('p.problem', { role: 'alert', hidden: true });
    const rows = el('ul.fields');
    const add = (start, title) => {
      const item = el('li', {},
        el('input', { 'aria-label': t.chapterStart, value: clock(start), size: 7 }),
        el('input', { 'aria-label': t.chapterTitle, value: title, maxlength: TITLE, dir: 'auto' }),
        button('', () => item.remove(), { class: 'quiet', 'aria-label': t.removeChapter, title: t.removeChapter }, icon('trash')));
      rows.append(item);
      return item;
    };
    // A start that is shown rounded and left alone stays what it was.
    const exact = new Map();
    for (const { start, title } of list) exact.set(add(start, title), { shown: clock(start), start });
    const form = el('form', { 'aria-label': t.editChapters, onsubmit: save }, rows,
      el('div.actions', {},
        button(t.addChapter, () => add(video.currentTime, '').querySelectorAll('input')[1].focus(), {}, icon('plus')),
        el('button.primary', { type: 'submit' }, t.save), button(t.cancel, close),
        button(t.zoomChapters, () => send([]), {}, icon('again'))),
      el('p.hint', {}, t.chapterHint), problem);

    function close() {
      form.remove();
      box.hidden = !list.length;
      edit.hidden = false;
      edit.focus();
    }

    function save(event) {
      event.preventDefault();
      const chapters = [...rows.children].map((item) => {
        const [start, title] = [...item.querySelectorAll('input')].map((field) => field.value.trim());
        const known = exact.get(item);
        return { start: known?.shown === start ? known.start : readClock(start), title, item };
      });
      const wrong = chapters.find(({ start }) => Number.isNaN(start));
      if (wrong) {
        problem.textContent = t.chapterTime;
        problem.hidden = false;
        return wrong.item.querySelector('input').focus();
      }
      send(chapters.sort((a, b) => a.start - b.start).map(({ start, title }) => ({ start, title })));
    }

    async function send(chapters) {
      try {
        const answer = await put(`recordings/${id}/chapters/`, JSON.stringify(chapters), 'application/json');
        close();
        fill(answer);
        say(t.saved);
      } catch (refused) {
        problem.textContent = `${t.notSaved} ${refused.detail}`;
        problem.hidden = false;
      }
    }

    box.hidden = edit.hidden = true;
    node.append(form);
    (rows.querySelector('input') ?? form.querySelector('button')).focus();
  }

  return {
    node, fill,
    allowEditing() {
      editable = true;
      edit.hidden = false;
      changed(list, editable);
    },
  };
}
