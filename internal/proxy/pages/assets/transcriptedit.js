// A teacher corrects captions: a cue in its place, or a whole file. They win over Zoom's, which
// come back when the correction is taken away.

import { ask, put } from './api.js';
import { el, icon, button, saveFile, say } from './dom.js';
import { replaceCue } from './vtt.js';
import { t } from './words.js';

// reload() shows the captions that are valid now, rowOf(index) is a cue's row.
export function makeTranscriptEditor(id, { reload, rowOf }) {
  let lang = '';
  let source = '';
  const problem = el('p.problem', { role: 'alert', hidden: true });
  const file = el('input', { type: 'file', accept: '.vtt,text/vtt', hidden: true, onchange: upload });
  const download = () => saveFile(new Blob([source], { type: 'text/vtt' }), `${id}.${lang}.vtt`);
  const toggle = button(t.correct, () => switchTo(!on), { class: 'correct', 'aria-pressed': 'false' }, icon('edit'));
  const more = el('div.actions', { hidden: true },
    button(t.downloadCaptions, download, {}, icon('download')),
    button(t.uploadCaptions, () => file.click(), {}, icon('upload')),
    button(t.zoomCaptions, restore, {}, icon('again')), file);
  const node = el('div.editor', { hidden: true }, toggle, el('p.hint', { hidden: true }, t.correctHint), more, problem);
  let on = false;

  function switchTo(editing) {
    on = editing;
    toggle.setAttribute('aria-pressed', String(on));
    more.hidden = node.querySelector('.hint').hidden = !on;
    problem.hidden = true;
  }

  function complain(refused) {
    const line = refused.code === 'invalid_captions' && refused.detail.match(/line (\d+): (.*)/);
    problem.textContent = line ? t.captionLine.replace('{0}', line[1]).replace('{1}', line[2]) : `${t.notSaved} ${refused.detail}`;
    problem.hidden = false;
  }

  // save replaces the file, and reports whether the gateway accepted it.
  async function save(text) {
    problem.hidden = true;
    try {
      await put(`recordings/${id}/captions/${encodeURIComponent(lang)}.vtt`, text, 'text/vtt; charset=utf-8');
    } catch (refused) {
      complain(refused);
      return false;
    }
    say(t.saved);
    reload();
    return true;
  }

  async function upload() {
    const [chosen] = file.files;
    file.value = '';
    if (chosen) save(await chosen.text());
  }

  async function restore() {
    problem.hidden = true;
    try {
      await ask('DELETE', `recordings/${id}/captions/${encodeURIComponent(lang)}.vtt`);
    } catch (refused) {
      return complain(refused);
    }
    say(t.restoredCaptions);
    reload();
  }

  // open puts a field where a cue's row is.
  function open(index, cue) {
    const item = rowOf(index);
    const row = item.querySelector('.row');
    const field = el('textarea', { 'aria-label': t.cueText, rows: cue.text.split('\n').length + 2, dir: 'auto' });
    field.value = cue.text;
    const close = () => { form.remove(); row.hidden = false; row.focus(); };
    const submit = async () => {
      if (field.value.trim() === cue.text) return close();
      if (await save(replaceCue(source, cue, field.value))) rowOf(index)?.querySelector('.row')?.focus();
    };
    const form = el('div.form', {}, field, el('div.actions', {}, button(t.save, submit, { class: 'primary' }), button(t.cancel, close)));
    form.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') close();
      else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    row.hidden = true;
    item.append(form);
    field.focus();
  }

  return {
    node, open,
    get on() { return on; },
    allow() { node.hidden = false; },
    fill(language, text) { [lang, source] = [language, text]; },
  };
}
