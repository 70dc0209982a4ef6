// The player: one lesson, its video, what belongs to it, and a clear word when it does not play.

import { makeAudience } from './audience.js';
import { makeCaptions } from './captions.js';
import { makeChapters } from './chapters.js';
import { makeControls } from './controls.js';
import { copyLink, followFragment, fragmentTime, takeFragmentTime } from './deeplink.js';
import { el, icon, button, say } from './dom.js';
import { takeEarly } from './earlyplayback.js';
import { clock, timeOfDay } from './format.js';
import { makeFiles } from './files.js';
import { makeHelp } from './help.js';
import { listenForKeys } from './keys.js';
import { lengthOf } from './length.js';
import { makeLesson } from './lesson.js';
import { makeNeighbours } from './neighbours.js';
import { problemNotice } from './notice.js';
import { makePanel } from './panel.js';
import { fetchPlaces, keepPlace, placeOf } from './places.js';
import { Playback, requestGrant } from './playback.js';
import { makeQuality } from './quality.js';
import { makeReport } from './report.js';
import { makeSeekbar } from './seekbar.js';
import { makeStage } from './stage.js';
import { makeTranscript } from './transcript.js';
import { t } from './words.js';

const WORTH = 5; // seconds from the start of a lesson that are not worth resuming
const REST = 30; // seconds before its end that are not
const PATIENCE = 1500; // ms that a lesson waits for what another device has reported
const DECIDED = 30; // seconds from where it was resumed, after which nobody wants the start any more
const SOON = 30 * 60000; // ms before the end that are worth a colour
const KEEP = 4000; // ms between two notes of the place
const UNSEEN = 100; // ms that the page is not laid out for, so that the video's source is set first
const RETRY = 5; // seconds until a page that could not begin tries again

// openPlayer makes the player of a lesson. Its node is to be shown when ready resolves, and at
// once where ready is null: a video that is taken out of its page for longer is paused. With
// embedded it is the bare player: the picture, its controls and their menu, to which
// embedded.choices are added. embedded.refused(problem) gives what else a refusal offers, and may change its code.
export function openPlayer(id, { embedded } = {}) {
  const { response, video = el('video', { playsinline: true, preload: 'metadata' }), events = [], placed: begun } = takeEarly(id);
  const asked = requestGrant(id, response); // first of all: everything else is made meanwhile
  const placed = begun ?? fetchPlaces([id]);
  const inPlace = video.isConnected;
  video.setAttribute('aria-label', t.player);
  const resumed = el('p.bar.resumed', { hidden: true });
  const ending = el('p.bar.ending', { role: 'status', hidden: true });
  const network = el('p.bar.network', { role: 'status', hidden: true }, icon('alarm'), t.networkLost);
  const news = el('p.bar.news', { hidden: true });
  let stated = 0; // the lesson's length in seconds as the library has it
  let going = false; // whether it is to play as soon as it can
  let wantedTime; // where it is to begin, where the page around says so

  const stage = makeStage(video, { toggle: () => controls.toggle(), skip: (by) => controls.skip(by), toggleFullscreen: () => controls.toggleFullscreen() });
  const captions = makeCaptions(video, stage.caption);
  const seekbar = makeSeekbar(video, { seek: (at) => controls.seek(at), address: (name) => playback.resource(name), stated: () => stated });
  const controls = makeControls(video, { seekbar, captions, stage: () => stage.node, stated: () => stated });
  stage.node.append(controls.node);
  const quality = makeQuality(video, {
    stage,
    play(path) {
      news.hidden = true;
      playback.switchTo(path);
    },
    note(text, ...more) {
      news.replaceChildren(text, ' ', ...more);
      news.hidden = false;
    },
  });
  controls.addChoice(quality.row);
  if (embedded) for (const row of [quality.sound, ...embedded.choices]) controls.addChoice(row);
  const report = makeReport(id, video);
  const help = makeHelp();
  if (embedded) controls.addChoice(button(t.help, help.open, {}, icon('help')));
  const panel = makePanel();
  const seek = (at) => controls.seek(at);
  const transcript = makeTranscript(video, id, {
    seek, changed: () => captions.fill(captions.list, track),
    load: async (lang) => (await playback.read(`captions/${encodeURIComponent(lang)}.vtt`)).text(),
    found: (has) => panel.show('transcript', has),
  });
  const chapters = makeChapters(video, id, {
    seek,
    changed(list, editable) {
      seekbar.setChapters(list);
      panel.show('chapters', list.length > 0 || editable);
    },
  });
  const audience = makeAudience(id, {
    seek, length: () => lengthOf(video, stated), offered: () => panel.show('audience', true), loaded: seekbar.setAudience,
  });
  const files = makeFiles(id, {
    seek, read: (name) => playback.read(name), address: (name) => playback.resource(name), found: (has) => panel.show('files', has),
  });
  panel.add('transcript', t.transcript, transcript.node);
  panel.add('chapters', t.chapters, chapters.node);
  panel.add('files', t.files, files.node);
  panel.add('audience', t.audience, audience.node);
  const neighbours = makeNeighbours(video, stage.picture);
  const link = button(t.copyLink, () => copyLink(id, video.currentTime, link), { class: 'copy' }, icon('link'));
  const lesson = makeLesson(id, {
    describe: { skip: (by) => controls.skip(by) },
    known(recording, role) {
      stated = (recording.duration_display || 0) * 60;
      neighbours.fill(recording, role);
    },
    mayEdit() {
      transcript.allowEditing();
      chapters.allowEditing();
      audience.offer();
    },
  });
  const node = embedded ? el('article.player', {}, el('h1.sr', {}, t.player), stage.node, el('div.bars', {}, network, resumed, news, ending), help.node) : el('article.player', {},
    el('nav.top', { 'aria-label': t.library }, el('a.back', { href: '/' }, icon('back'), t.toLibrary)),
    el('div.main', {}, stage.node, network, resumed, news, ending,
      el('header', {}, lesson.title, lesson.meta),
      el('div.actions', {}, quality.sound, link, lesson.download, button(t.help, help.open, { class: 'open-help' }, icon('help'))),
      neighbours.node),
    panel.node, help.node);

  // A <track> sends no header, and its cookie may not come back: it has the token in its address.
  const track = (one) => playback.resource(`captions/${encodeURIComponent(one.lang)}.vtt`, true);
  let known = '';
  const playback = new Playback(id, video, {
    refused: refuse,
    until(date) {
      ending.hidden = !date;
      ending.classList.toggle('soon', date - Date.now() < SOON);
      if (date) ending.textContent = t.playsUntil.replace('{0}', timeOfDay(date));
    },
    captions(list) {
      const these = JSON.stringify(list);
      if (these === known) return captions.renew(list, track);
      known = these;
      captions.fill(list, track);
      if (!embedded) transcript.fill(list, captions.lang);
    },
    freeze: stage.freeze,
    lost(gone) { network.hidden = !gone; },
    dropped: quality.drop,
  });

  function start(granted) {
    going ||= playback.wanted;
    stage.over.hidden = true;
    stage.over.replaceChildren();
    stage.picture.inert = controls.node.inert = false;
    report.hold(false);
    return playback.open(granted);
  }

  // refuse stops the lesson and says why, over where the picture was.
  function refuse(problem) {
    const running = video.currentTime > 0;
    going = playback.wanted;
    report.hold(true);
    note();
    video.pause();
    video.removeAttribute('src');
    video.load();
    stage.picture.inert = controls.node.inert = true;
    if (problem.code === 'offline') {
      problem.retryAfter ||= RETRY;
      window.addEventListener('online', () => { if (notice.isConnected) start(); }, { once: true });
    }
    const more = embedded ? embedded.refused(problem) : el('a.button', { href: '/' }, t.toLibrary);
    const notice = problemNotice(problem, () => start(), more);
    if (running && problem.code === 'no_access') notice.querySelector('h2').textContent = t.cutOff;
    stage.over.replaceChildren(notice);
    stage.over.hidden = false;
    stage.thaw();
    network.hidden = ending.hidden = resumed.hidden = news.hidden = true;
  }

  // The place is kept as one goes, and once more whenever the page may vanish.
  let kept = 0;
  function note() {
    if (!video.duration || !video.currentTime) return;
    kept = Date.now();
    const length = lengthOf(video, stated);
    keepPlace(id, video.currentTime, length && Math.max(length, video.currentTime));
  }

  let resumedAt = 0;
  async function resume() {
    if (going) video.play().catch(() => {});
    going = false;
    if (playback.connection.released) return; // the playback itself knows where it stood
    if (wantedTime !== undefined) return seek(wantedTime);
    const linked = takeFragmentTime();
    if (linked !== undefined) return seek(linked);
    await Promise.race([placed, new Promise((done) => { setTimeout(done, PATIENCE); })]);
    const { at } = placeOf(id);
    if (at < WORTH || !(at <= video.duration - REST) || video.currentTime > 0) return;
    video.currentTime = at;
    resumed.replaceChildren(el('span', {}, t.resumed.replace('{0}', clock(at))), ' ', button(t.fromStart, () => {
      video.currentTime = 0;
      resumed.hidden = true;
    }));
    resumed.hidden = false;
    resumedAt = at;
    say(t.resumed.replace('{0}', clock(at)));
  }

  // learn asks for what belongs to the lesson, once it may be watched and the video has what
  // its first frame needs.
  let learned = false;
  async function learn() {
    if (learned) return;
    learned = true;
    const read = (name, use) => playback.read(name).then(use).catch(() => {}); // the lesson plays without
    await Promise.all([
      read('chapters/', async (answer) => chapters.fill(await answer.json())),
      read('companions/', async (answer) => {
        const list = await answer.json();
        quality.fill(list);
        files.fill(list);
        lesson.companions(list);
      }),
      read('storyboard.vtt', async (answer) => seekbar.fillStoryboard(await answer.text())),
    ]);
  }

  video.addEventListener('loadstart', () => { if (fragmentTime() === undefined && placeOf(id).at < WORTH) stage.showPoster(playback.resource('poster.jpg')); }, { once: true });
  video.addEventListener('loadedmetadata', resume);
  video.addEventListener('loadeddata', learn);
  video.addEventListener('loadedmetadata', () => setTimeout(learn, 2000)); // a telephone loads no frame before a press
  video.addEventListener('timeupdate', () => {
    if (!video.paused && Date.now() - kept > KEEP) note();
    if (Math.abs(video.currentTime - resumedAt) > DECIDED) resumed.hidden = true;
  });
  video.addEventListener('pause', note);
  video.addEventListener('ended', () => keepPlace(id, video.currentTime, video.currentTime));
  video.addEventListener('playing', lesson.countView);
  const onHide = () => note();
  window.addEventListener('pagehide', onHide);
  const ends = [followFragment(seek), listenForKeys(video, stage.node, { controls, captions, help: help.open, stated: () => stated })];

  // To lay the page out takes a processor as long as a near gateway takes for its answer, which
  // would wait: what the video loads comes while the page is laid out instead.
  const started = start(asked ?? undefined);
  started.then(() => { for (const name of events) video.dispatchEvent(new Event(name)); });
  const ready = inPlace ? null : Promise.race([started, new Promise((done) => { setTimeout(done, UNSEEN); })]);
  if (!embedded) lesson.learn();
  return {
    node, video,
    ready,
    // play begins as soon as it can; what keeps it from playing rejects.
    play() {
      going = true;
      return video.readyState ? video.play() : Promise.resolve();
    },
    pause() {
      going = false;
      video.pause();
    },
    seek(at) {
      if (video.readyState) seek(at);
      else wantedTime = at;
    },
    close() {
      note();
      window.removeEventListener('pagehide', onHide);
      for (const end of ends) end();
      for (const part of [report, stage, quality, controls, lesson, playback]) part.close();
    },
  };
}
