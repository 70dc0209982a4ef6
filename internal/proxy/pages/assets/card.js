// One recording in the list.

import { ask } from './api.js';
import { el, icon, button, say } from './dom.js';
import { clock, count, dayMonth, megabytes, minutes, percent } from './format.js';
import { placeOf } from './places.js';
import { makePoster, progressBar } from './posters.js';
import { playable, titleOf } from './recording.js';
import { lang, reason, t } from './words.js';

const SOON = 7; // days left that are worth a colour
const BEGUN = 5; // seconds of a lesson that are no look at it
const SEEN = 0.95; // the credits need not be watched

// unfinished reports whether a lesson was begun and its end not reached.
export const unfinished = ({ at, of }) => of > 0 && at >= BEGUN && at / of < SEEN;

export function makeCard(recording, role, { preparing, changed }) {
  const card = el('li.lesson');
  let poster; // made once: a second one would fetch the picture again
  // The library asks for another look when somebody comes back from a lesson.
  card.addEventListener('look', () => { if (!card.classList.contains('removed')) fill(); });
  fill();
  return card;

  function fill() {
    const plays = playable(recording);
    const title = titleOf(recording);
    const at = recording.lesson_info?.start_time || recording.created_at;
    const place = placeOf(recording.id);
    const share = plays && place.of && place.at >= BEGUN ? Math.min(1, place.at / place.of) : 0;
    card.className = `lesson ${recording.status}`;
    card.replaceChildren(
      poster ??= makePoster(recording),
      el('div.what', {},
        el('h3', { dir: 'auto' }, plays ? el('a', { href: `/watch/${recording.id}` }, title) : title),
        el('p.meta', {}, el('time', { datetime: at }, dayMonth(at)), facts(recording, role).map((fact) => el('span', { dir: 'auto' }, fact))),
        recording.status === 'failed' && el('p.reason', {}, reason(preparing.reasonOf(recording.id))),
        share > 0 && watched(share, place.at)),
      el('div.chips', {}, chips(recording, role)));
    poster.querySelector('.track')?.remove();
    if (share) poster.append(progressBar(share));
    if (role === 'teacher') card.append(button('', remove, { class: 'remove', 'aria-label': t.remove.replace('{0}', title), title: t.remove.replace('{0}', title) }, icon('trash')));
  }

  // remove takes the recording away at once; its row stays as the way back for as
  // long as the list is open, so nobody has to be quick.
  async function remove(event) {
    const pressed = event.currentTarget;
    pressed.disabled = true;
    const title = titleOf(recording);
    try {
      await ask('DELETE', `recordings/${recording.id}/`);
    } catch (problem) {
      pressed.disabled = false;
      complain(t.notRemoved.replace('{0}', title), problem);
      return;
    }
    const undo = button(t.undo, restore);
    card.className = 'lesson removed';
    card.replaceChildren(el('p', {}, t.removed.replace('{0}', title)), undo);
    undo.focus();
    say(t.removed.replace('{0}', title));
    changed();
  }

  async function restore(event) {
    event.currentTarget.disabled = true;
    try {
      await ask('POST', `recordings/${recording.id}/restore/`);
    } catch (problem) {
      event.target.disabled = false;
      complain(t.notRestored.replace('{0}', titleOf(recording)), problem);
      return;
    }
    fill();
    card.querySelector('a, button')?.focus();
    say(t.restored.replace('{0}', titleOf(recording)));
    changed();
  }

  function complain(what, problem) {
    card.querySelector('.complaint')?.remove();
    card.append(el('p.complaint', { role: 'alert' }, `${what} ${lang === 'ru' ? problem.detail : ''}`.trim()));
  }
}

function facts(recording, role) {
  const lesson = recording.lesson_info;
  const groups = (recording.access_groups || []).map((group) => group.name).join(', ');
  return [
    role === 'student' && lesson?.teacher?.name,
    lesson?.group_name || groups,
    recording.duration_display && minutes(recording.duration_display),
    role === 'teacher' && recording.file_size_mb && megabytes(recording.file_size_mb),
    role === 'teacher' && recording.status === 'ready' && count(recording.views_count, t.views),
  ].filter(Boolean);
}

function chips(recording, role) {
  const left = recording.available_days_left;
  const until = recording.available_until && Date.parse(recording.available_until);
  return [
    role === 'teacher' && visibility(recording),
    recording.status === 'failed' && el('span.chip.alarm', {}, icon('alarm'), t.failed),
    recording.status === 'processing' && el('span.chip.quiet', {}, icon('wait'), t.processing),
    left != null && el(`span.chip${left <= SOON ? '.warn' : '.plain'}`, {}, left <= SOON && icon('wait'),
      until <= Date.now() ? t.over : left === 0 ? t.lastDay : count(left, t.daysLeft)),
  ];
}

// visibility says at a glance who sees a recording; the names are in its title.
function visibility({ visibility: kind, access_groups: groups = [], access_students: students = [] }) {
  const names = [...groups, ...students].map((one) => one.name).join(', ');
  let label = t.visibility[kind] || kind;
  if (kind === 'custom_students') label = count(students.length, t.students);
  if (kind === 'custom_groups' && groups.length) label = groups.map((group) => group.name).join(', ');
  const sign = { all_teacher_groups: 'globe', custom_students: 'person' }[kind] || 'group';
  return el('span.chip.quiet', { title: t.visibleTo.replace('{0}', names || t.visibility[kind]) }, icon(sign), el('span.sr', {}, t.visibleTo.replace('{0}', '')), label);
}

// watched is how far one came, in words.
function watched(share, at) {
  return el('p.watched', {}, share >= SEEN ? t.seen : t.watched.replace('{0}', percent(share)), el('span.sr', {}, ` (${clock(at)})`));
}
