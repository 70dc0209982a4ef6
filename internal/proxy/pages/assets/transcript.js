// The transcript: who said what when. A press goes there, the list follows the playback until
// the viewer scrolls, and teachers correct it.

import { labelOf } from './captions.js';
import { el, icon, button } from './dom.js';
import { makeFind } from './find.js';
import { clock } from './format.js';
import { makeFollower } from './list.js';
import { makeTranscriptEditor } from './transcriptedit.js';
import { parseVTT } from './vtt.js';
import { t } from './words.js';

// load(lang) is a promise of a file's text, and changed() is called when a person has
// corrected one.
export function makeTranscript(video, id, { seek, load, changed, found }) {
  const box = el('ol.list.cues', { 'aria-label': t.transcript });
  const back = button(t.followAgain, () => follower.follow(true), { class: 'follow', hidden: true }, icon('target'));
  const language = el('select', { 'aria-label': t.captionLang, hidden: true, onchange: () => open(language.value) });
  const find = makeFind((row) => { follower.follow(false); follower.scrollTo(row); });
  const tools = el('div.tools-row', {}, find.node, language);
  const editor = makeTranscriptEditor(id, { reload: () => { open(lang); changed(); }, rowOf: (index) => box.children[index] });
  const node = el('section.transcript', {}, tools, editor.node, el('div.frame', {}, box, back));
  const follower = makeFollower(video, box, { stopped: (away) => { back.hidden = !away; } });
  node.addEventListener('shown', follower.mark);
  let lang = '';
  let cues = [];

  box.addEventListener('click', ({ target }) => {
    const row = target.closest('.row');
    if (!row) return;
    const index = [...box.children].indexOf(row.parentElement);
    if (editor.on) return editor.open(index, cues[index]);
    seek(cues[index].start);
    follower.follow(true);
  });

  // open shows the captions of a language; what comes late of another one is dropped.
  async function open(wanted) {
    lang = language.value = wanted;
    let source;
    try {
      source = await load(wanted);
    } catch {
      return found(cues.length > 0); // the lesson plays without
    }
    if (lang !== wanted) return;
    cues = parseVTT(source);
    box.lang = wanted === 'und' ? '' : wanted;
    box.replaceChildren(...cues.map((cue, i) => {
      const speaker = cue.speaker && cue.speaker !== cues[i - 1]?.speaker;
      return el('li', {}, el('button.row', { type: 'button', tabindex: '-1' },
        el('time', {}, clock(cue.start)), el('span.said', { dir: 'auto' }, speaker && el('b', {}, cue.speaker), el('span.text', {}, cue.text))));
    }));
    follower.fill(cues);
    find.fill([...box.querySelectorAll('.text')].map((into, i) => ({ node: into, text: cues[i].text })));
    editor.fill(wanted, source);
    found(cues.length > 0);
  }

  return {
    node,
    // fill takes the languages there are, and opens one.
    fill(list, preferred) {
      language.replaceChildren(...list.map((one) => el('option', { value: one.lang }, labelOf(one))));
      language.hidden = list.length < 2;
      if (list.length) open(preferred);
    },
    allowEditing: editor.allow,
  };
}
