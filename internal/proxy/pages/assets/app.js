// The page's frame: one document for / and /watch/{id}, so that going from the
// library to a lesson loads nothing anew.

import { LESSON } from './addresses.js';
import { Refused } from './api.js';
import { button, el } from './dom.js';
import { claimEarly } from './earlyplayback.js';
import { whenIdle } from './idle.js';
import { pageNotice, problemNotice } from './notice.js';
import { showPerson } from './person.js';
import { openPlayer } from './player.js';
import { begin, session, takeFragment } from './session.js';
import { t } from './words.js';

// The module is async, so that it does not wait for the style: it may be here first.
if (document.readyState === 'loading') await new Promise((parsed) => document.addEventListener('DOMContentLoaded', parsed, { once: true }));

const UNSTYLED = 3000; // ms after which the page is shown without its style
const AHEAD = 5000; // ms after a lesson was opened until the library's script is loaded ahead

const main = document.getElementById('main');
let library = null; // made when it is first shown
let player = null;
let libraryScroll = 0;

function show() {
  shownPath = location.pathname;
  const lesson = location.pathname.match(LESSON);
  player?.close();
  player = null;
  if (lesson) {
    const opened = player = openPlayer(lesson[1]);
    const put = () => {
      if (player !== opened) return;
      present('watch', opened.node);
      scrollTo(0, 0);
    };
    if (opened.ready) opened.ready.then(put);
    else put();
    setTimeout(() => whenIdle(() => loadLibrary().catch(() => {})), AHEAD);
  } else {
    document.title = `${t.library} · ${t.brand}`;
    if (library) showLibrary();
    else loadLibrary().then(showLibrary, showLost);
  }
}

// loadLibrary makes the library. Its script is one of its own, which a lesson does not wait for.
async function loadLibrary() {
  const { makeLibrary } = await import('./library.js');
  library ??= makeLibrary();
}

function showLibrary() {
  if (player) return; // somebody was quicker
  present('library', library.node);
  library.show();
  scrollTo(0, libraryScroll);
}

// showLost is for a script that did not come: browsers do not load it again for the same page.
function showLost() {
  if (!player) present('library', problemNotice(new Refused(0, 'offline'), () => location.reload()));
}

function present(page, node) {
  main.replaceChildren(node);
  document.body.dataset.page = page;
}

// go is a step inside the page. Those who use a keyboard or listen are set down
// at the new content's start.
function go(path) {
  if (!player) libraryScroll = scrollY;
  history.pushState({ user: session.user }, '', path);
  show();
  main.focus({ preventScroll: true });
}

document.addEventListener('click', (event) => {
  const link = event.target.closest('a[href^="/"]');
  if (!link || (link.pathname !== '/' && !LESSON.test(link.pathname))) return; // the sign-in, for one, is no part of this document
  if (link.hasAttribute('download') || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const page = link.pathname + link.search;
  if (page !== location.pathname + location.search) go(page + link.hash);
  else if (link.hash) location.hash = link.hash;
});
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
let shownPath = '';
window.addEventListener('popstate', () => {
  if (/[#&](?:token|code)=/.test(location.hash)) return; // session takes it, and calls back
  if (player && location.pathname === shownPath) return; // another place of the same lesson
  show();
});
history.scrollRestoration = 'manual';

// confirmUser asks whether a link may sign in somebody else.
function confirmUser() {
  player?.close();
  player = null;
  return new Promise((decided) => {
    const stay = button(t.otherUserStay, () => decided(false), { class: 'primary' });
    const made = pageNotice('person', t.otherUserTitle, t.otherUser, el('div.actions', {}, stay, button(t.otherUserGo, () => decided(true))));
    made.setAttribute('role', 'alertdialog');
    made.setAttribute('aria-label', t.otherUserTitle);
    made.dataset.code = 'other_user';
    document.title = `${t.otherUserTitle} · ${t.brand}`;
    main.replaceChildren(made);
    stay.focus();
  });
}

await begin(confirmUser);
window.addEventListener('hashchange', () => takeFragment(confirmUser));
session.onChange((what) => {
  if (what !== 'user') return;
  library?.forget();
  show();
});
showPerson(document.querySelector('.masthead'));
await Promise.all([styled(), claimEarly()]);
show();

// styled applies the style once it is here, or goes on without where it does not come. Until then it is one
// for print: Firefox loads no video while a page's own style is on its way.
async function styled() {
  const style = document.querySelector('link[rel="stylesheet"]');
  if (!style.sheet) {
    await new Promise((done) => {
      for (const name of ['load', 'error']) style.addEventListener(name, done);
      setTimeout(done, UNSTYLED); // it may have failed before this script was here
    });
  }
  style.media = 'all';
}
