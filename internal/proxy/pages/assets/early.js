// Stands in the document itself, and runs before the page's script and style are here. It requests
// the grant of a lesson, and loads the video once that is given: a round trip after the document the first, and
// another one later the second. Where it is not clear who plays the lesson, as with a link of another
// user, with a code or for one lesson, nothing is requested. earlyplayback.js hands over what
// was begun.
//
// The rest of the page is in a template, which browsers do not look into for what they could load ahead.
// So the grant, and after it the video, have the connection on which the document came. Behind
// the script and the style they would wait for one of their own. Nor do these share the line with the
// beginning of the video, which is some hundred kilobytes: they come when the browser has the video's
// index, or has waited for it for as long as a reader will for the page.

import { grantOf, LESSON } from './addresses.js';
import { fragment } from './fragment.js';
import { claims, keptSession, userOf } from './viewer.js';

// What the player listens for, and may have missed.
const EVENTS = ['loadstart', 'durationchange', 'loadedmetadata', 'loadeddata', 'progress', 'canplay', 'play', 'playing'];

// How many milliseconds the rest of the page waits at most: for the video's index once that is requested,
// and in all.
const INDEX_WITHIN = 300;
const REST_WITHIN = 600;

const id = location.pathname.match(LESSON)?.[1];
const token = fragment().get('token') ?? '';
const kept = keptSession();
const user = token ? userOf(token) : kept?.user;
if (id && user && (kept?.user ?? user) === user && claims(token).rid === undefined && !fragment().has('code')) {
  const headers = { Accept: 'application/json' };
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = fetch(grantOf(id), { method: 'POST', headers, credentials: 'same-origin', cache: 'no-store' });
  const { requested, indexed, ...begun } = load(response);
  window.early = { id, user, token, response, ...begun };
  Promise.race([indexed, requested.then(() => after(INDEX_WITHIN)), after(REST_WITHIN)]).then(addRest);
} else {
  addRest();
}

// addRest has the page's script and style loaded.
function addRest() {
  for (const part of id ? ['rest'] : ['rest', 'library']) document.head.append(document.getElementById(part).content);
}

// load shows and loads the video of a lesson once its grant is here. events are the names of those
// that the video has had; requested is when it begins to load, indexed when its index is here, framed when there is
// a first frame; all three also when there will be none.
function load(response) {
  const video = element('video', '');
  video.playsInline = true;
  video.preload = 'metadata';
  const events = new Set();
  for (const name of EVENTS) video.addEventListener(name, () => events.add(name));
  const none = new Promise((resolve) => {
    video.addEventListener('error', resolve);
    response.then(async (answer) => {
      if (!answer.ok) return resolve();
      const { url } = await answer.clone().json();
      if (!window.early) return resolve(); // the page was quicker
      video.src = new URL(url, location.href).pathname;
      show(video);
    }).catch(resolve);
  });
  const once = (name) => Promise.race([none, new Promise((resolve) => video.addEventListener(name, resolve))]);
  return { video, events, requested: once('loadstart'), indexed: once('loadedmetadata'), framed: once('loadeddata') };
}

function after(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// show puts a video where the player will.
function show(video) {
  const main = document.getElementById('main');
  if (!main) return document.addEventListener('DOMContentLoaded', () => show(video), { once: true });
  document.body.dataset.page = 'watch';
  main.replaceChildren(element('div', 'stage', element('div', 'picture', video)));
}

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}
