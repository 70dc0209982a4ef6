// The words around a lesson: its title, whose it is, and what its viewer may do with it.

import { BASE } from './addresses.js';
import { ask } from './api.js';
import { STEP } from './controls.js';
import { el, icon } from './dom.js';
import { fullDate } from './format.js';
import { titleOf } from './recording.js';
import { learnRole } from './role.js';
import { remember, session } from './session.js';
import { t } from './words.js';

// known(recording, role) is called when the gateway has described it, mayEdit() when the viewer is its
// teacher or an admin. describe.skip is for the system's own media controls.
export function makeLesson(id, { describe: { skip }, known, mayEdit }) {
  const title = el('h1', { dir: 'auto' });
  const meta = el('p.meta');
  const download = el('a.button.download', { download: true, hidden: true }, icon('download'), t.download);
  let closed = false;
  let viewed = false;

  function describe(facts) {
    title.textContent = facts.title;
    meta.replaceChildren(...[facts.teacher, facts.group, facts.at && fullDate(facts.at)].filter(Boolean).map((fact) => el('span', { dir: 'auto' }, fact)));
    document.title = `${facts.title} · ${t.brand}`;
    if ('mediaSession' in navigator) {
      navigator.mediaSession.metadata = new MediaMetadata({ title: facts.title, artist: facts.teacher || '', album: facts.group || '' });
      navigator.mediaSession.setActionHandler('seekbackward', () => skip(-STEP));
      navigator.mediaSession.setActionHandler('seekforward', () => skip(STEP));
    }
    if (!facts.download) return;
    download.href = `${BASE}/recordings/${id}/stream/?download=1`;
    download.hidden = false;
  }

  let editor = false;
  function allowEditing(may) {
    if (!may || editor || !session.hasUser) return;
    editor = true;
    mayEdit();
  }

  return {
    title, meta, download,
    // learn asks for the words. What is known from before the reload stands meanwhile, and
    // stays where there is no token to ask with.
    async learn() {
      describe(history.state?.facts || { title: t.untitled.replace('{0}', id) });
      if (!session.hasUser) return;
      try {
        const [recording, role] = await Promise.all([ask('GET', `recordings/${id}/`), learnRole().catch(() => '')]);
        if (closed) return;
        const { lesson_info: about } = recording;
        const facts = { title: titleOf(recording), teacher: about?.teacher?.name, group: about?.group_name, at: about?.start_time || recording.created_at, download: Boolean(recording.download_url) || ['teacher', 'admin'].includes(role) };
        remember({ facts });
        describe(facts);
        known(recording, role);
        allowEditing(role === 'admin' || String(about?.teacher?.id) === session.user);
      } catch { /* the playback's own refusal says it */ }
    },
    // companions have "shared" where the viewer decides about them.
    companions(list) { allowEditing(list.some((one) => 'shared' in one)); },
    countView() {
      if (viewed || !session.hasUser) return;
      viewed = true;
      ask('POST', `recordings/${id}/view/`).catch(() => {}); // a view not counted hurts no viewer
    },
    close() { closed = true; },
  };
}
