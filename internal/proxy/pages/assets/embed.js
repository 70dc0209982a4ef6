// The embedded player: one lesson in a frame of another site's page. That page may command it,
// and is told what it does, by messages; docs/embedding.md describes them.

import { el, icon } from './dom.js';
import { begin, unspent } from './embedsession.js';
import { openPlayer } from './player.js';
import { t } from './words.js';

const EVERY = 1000; // ms between two messages of a lesson that plays
const SIGN_IN = ['not_authenticated', 'token_not_valid', 'code_not_valid'];

if (document.readyState === 'loading') await new Promise((parsed) => document.addEventListener('DOMContentLoaded', parsed, { once: true }));

// In a tab of its own it is the lesson's page.
const [, lesson] = location.pathname.match(/^\/embed\/(\d+)/);
if (window.parent === window) location.replace(`/watch/${lesson}${location.search}${location.hash}`);
else await embed(lesson, document.getElementById('main'));

// embed shows the lesson in place of what main has.
async function embed(id, main) {
  document.title = `${t.player} · ${t.brand}`;
  await begin();
  let code = null; // of the refusal, while there is one
  const inTab = (kind) => el(`a${kind}`, { href: `/watch/${id}${unspent && `#code=${unspent}`}`, target: '_blank', rel: 'noopener' }, icon('link'), t.openInTab);
  const player = openPlayer(id, {
    embedded: {
      choices: [inTab('.button')],
      refused(problem) {
        code = problem.code;
        queueMicrotask(() => post('state'));
        if (SIGN_IN.includes(code)) problem.code = 'not_signed_in_here';
        return inTab('.button.primary');
      },
    },
  });
  const { video } = player;

  // The gateway names the pages that may frame this one, and the browser keeps it from others.
  // Where the browser does not say which of them it is, all are sent to: one gets it.
  const origins = document.querySelector('meta[name="lectern-embed-origins"]').content.split(' ');
  const seen = location.ancestorOrigins?.[0] ?? (document.referrer && new URL(document.referrer).origin);
  let targets = origins.includes(seen) ? [seen] : origins;
  let sent = 0;

  function post(kind) {
    sent = Date.now();
    const { currentTime: time, duration, paused, ended } = video;
    const message = { lectern: kind, recording: Number(id), time, duration: Number.isFinite(duration) ? duration : null, paused, ended, code };
    for (const origin of targets) window.parent.postMessage(message, origin);
  }

  window.addEventListener('message', ({ source, origin, data }) => {
    if (source !== window.parent || !origins.includes(origin)) return;
    targets = [origin];
    switch (data?.lectern) {
      case 'play': return void player.play().catch(() => post('state'));
      case 'pause': return player.pause();
      case 'seek': return void (Number.isFinite(data.time) && player.seek(data.time));
      case 'state': return post('state');
      default:
    }
  });
  const kinds = { playing: 'play', pause: 'pause', seeked: 'seek', ended: 'state' };
  for (const [event, kind] of Object.entries(kinds)) video.addEventListener(event, () => post(kind));
  video.addEventListener('loadedmetadata', () => {
    code = null;
    post('state');
  });
  video.addEventListener('timeupdate', () => { if (!video.paused && Date.now() - sent >= EVERY) post('state'); });

  await player.ready;
  main.replaceChildren(player.node);
}
