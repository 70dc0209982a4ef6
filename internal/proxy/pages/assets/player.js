// The player: one lesson, its video, and a clear word when it does not play.

import { ask } from './api.js';
import { titleOf } from './card.js';
import { makeControls } from './controls.js';
import { el, icon, button, say } from './dom.js';
import { clock, fullDate, timeOfDay } from './format.js';
import { lengthOf } from './length.js';
import { problemNotice } from './notice.js';
import { keepPlace, placeOf } from './places.js';
import { Playback, requestGrant } from './playback.js';
import { remember, session } from './session.js';
import { t } from './words.js';

const WORTH = 5; // seconds from either end of a lesson that are not worth resuming
const DECIDED = 30; // seconds from where it was resumed, after which nobody wants the start any more
const SOON = 30 * 60000; // ms before the end that are worth a colour
const KEEP = 4000; // ms between two notes of the place
const UNSEEN = 100; // ms that the page is not laid out for, so that the video's source is set first

// openPlayer makes the player of a lesson. Its node is to be shown when ready resolves.
export function openPlayer(id) {
  const asked = requestGrant(id); // first of all: everything else is made meanwhile
  const title = el('h1');
  const meta = el('p.meta');
  const video = el('video', { controls: true, playsinline: true, preload: 'metadata', controlslist: 'nodownload', 'aria-label': t.player });
  const still = el('canvas', { 'aria-hidden': 'true', hidden: true });
  const over = el('div.over', { hidden: true });
  const resumed = el('p.bar.resumed', { hidden: true });
  const ending = el('p.bar.ending', { role: 'status', hidden: true });
  const controls = makeControls(video);
  const node = el('article.player', {},
    el('nav', { 'aria-label': t.library }, el('a.back', { href: '/' }, icon('back'), t.toLibrary)),
    el('div.stage', {}, video, still, over),
    controls.node, resumed, ending,
    el('header', {}, title, meta),
    el('details.keys', {}, el('summary', {}, t.keys), el('dl', {}, t.keyList.map(([keys, does]) => el('div', {}, el('dt', {}, keys), el('dd', {}, does))))));

  let captions = '';
  const playback = new Playback(id, video, {
    refused: refuse,
    until(date) {
      ending.hidden = !date;
      ending.classList.toggle('soon', date - Date.now() < SOON);
      if (date) ending.textContent = t.playsUntil.replace('{0}', timeOfDay(date));
    },
    captions(list) {
      const these = JSON.stringify(list.map((one) => [one.lang, one.label]));
      if (these === captions) return controls.renewCaptions(list);
      captions = these;
      controls.setCaptions(list);
    },
    freeze,
  });

  // freeze shows the picture on the screen until the video is back where it was.
  function freeze() {
    Object.assign(still, { width: video.videoWidth, height: video.videoHeight });
    still.getContext('2d')?.drawImage(video, 0, 0);
    still.hidden = false;
    const thaw = () => { still.hidden = true; };
    for (const name of ['seeked', 'error']) video.addEventListener(name, thaw, { once: true });
  }

  function start(granted) {
    over.hidden = true;
    over.replaceChildren();
    video.removeAttribute('inert');
    controls.node.hidden = false;
    return playback.open(granted);
  }

  // refuse stops the lesson and says why, over where the picture was.
  function refuse(problem) {
    const running = video.currentTime > 0;
    note();
    video.pause();
    video.removeAttribute('src');
    video.load();
    video.setAttribute('inert', '');
    const notice = problemNotice(problem, () => start(), el('a.button', { href: '/' }, t.toLibrary));
    if (running && problem.code === 'no_access') notice.querySelector('h2').textContent = t.cutOff;
    over.replaceChildren(notice);
    over.hidden = false;
    still.hidden = true;
    ending.hidden = resumed.hidden = controls.node.hidden = true;
  }

  // The place is kept as one goes, and once more whenever the page may vanish.
  let kept = 0;
  let stated = 0; // the lesson's length in seconds as the library has it
  function note() {
    if (!video.duration || !video.currentTime) return;
    kept = Date.now();
    const length = lengthOf(video, stated);
    keepPlace(id, video.currentTime, length && Math.max(length, video.currentTime));
  }

  let resumedAt = 0;
  function resume() {
    if (playback.released !== undefined) return; // the playback itself knows where it stood
    const { at } = placeOf(id);
    if (at < WORTH || at > video.duration - WORTH || video.currentTime > 0) return;
    video.currentTime = at;
    resumed.replaceChildren(el('span', {}, t.resumed.replace('{0}', clock(at))), ' ', button(t.fromStart, () => {
      video.currentTime = 0;
      resumed.hidden = true;
    }));
    resumed.hidden = false;
    resumedAt = at;
    say(t.resumed.replace('{0}', clock(at)));
  }

  let viewed = false;
  video.addEventListener('loadedmetadata', resume);
  video.addEventListener('timeupdate', () => {
    if (!video.paused && Date.now() - kept > KEEP) note();
    if (Math.abs(video.currentTime - resumedAt) > DECIDED) resumed.hidden = true;
  });
  video.addEventListener('pause', note);
  video.addEventListener('ended', () => keepPlace(id, video.currentTime, video.currentTime));
  video.addEventListener('playing', () => {
    if (viewed || !session.token || session.opens !== undefined) return;
    viewed = true;
    ask('POST', `recordings/${id}/view/`).catch(() => {}); // a view not counted hurts no viewer
  });
  const onHide = () => note();
  window.addEventListener('pagehide', onHide);

  function describe(facts) {
    title.textContent = facts.title;
    meta.replaceChildren(...[facts.teacher, facts.group, facts.at && fullDate(facts.at)].filter(Boolean).map((fact) => el('span', {}, fact)));
    document.title = `${facts.title} · ${t.brand}`;
    if ('mediaSession' in navigator) {
      navigator.mediaSession.metadata = new MediaMetadata({ title: facts.title, artist: facts.teacher || '', album: facts.group || '' });
      navigator.mediaSession.setActionHandler('seekbackward', () => controls.skip(-10));
      navigator.mediaSession.setActionHandler('seekforward', () => controls.skip(10));
    }
    if (facts.download) controls.allowDownload(`/api/recordings/${id}/stream/?download=1`);
  }

  // learn asks for the words around the lesson. What is known from before the
  // reload stands meanwhile, and stays where there is no token to ask with.
  async function learn() {
    describe(history.state?.facts || { title: t.untitled.replace('{0}', id) });
    if (!session.token || session.opens !== undefined) return;
    try {
      const recording = await ask('GET', `recordings/${id}/`);
      const lesson = recording.lesson_info;
      const facts = { title: titleOf(recording), teacher: lesson?.teacher?.name, group: lesson?.group_name, at: lesson?.start_time || recording.created_at, download: Boolean(recording.download_url) || ['teacher', 'admin'].includes(session.role) };
      stated = (recording.duration_display || 0) * 60;
      if (playback.closed) return;
      remember({ facts });
      describe(facts);
    } catch { /* the playback's own refusal says it */ }
  }

  // To lay the page out takes a processor as long as a near gateway takes for its answer, which
  // would wait: what the video loads comes while the page is laid out instead.
  const ready = Promise.race([start(asked ?? undefined), new Promise((done) => { setTimeout(done, UNSEEN); })]);
  learn();
  return {
    node,
    ready,
    close() {
      note();
      window.removeEventListener('pagehide', onHide);
      controls.close();
      playback.close();
    },
  };
}
