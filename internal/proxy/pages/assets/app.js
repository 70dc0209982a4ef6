// The page's frame: one document for / and /watch/{id}, so that going from the
// library to a lesson loads nothing anew.

import { LESSON } from './addresses.js';
import { button, el } from './dom.js';
import { makeLibrary } from './library.js';
import { pageNotice } from './notice.js';
import { showPerson } from './person.js';
import { openPlayer } from './player.js';
import { begin, session, takeFragment } from './session.js';
import { t } from './words.js';

// The module is async, so that it does not wait for the style: it may be here first.
if (document.readyState === 'loading') await new Promise((parsed) => document.addEventListener('DOMContentLoaded', parsed, { once: true }));

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
    opened.ready.then(() => {
      if (player !== opened) return;
      present('watch', opened.node);
      scrollTo(0, 0);
    });
  } else {
    document.title = `${t.library} · ${t.brand}`;
    library ??= makeLibrary();
    present('library', library.node);
    library.show();
    scrollTo(0, libraryScroll);
  }
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
show();
