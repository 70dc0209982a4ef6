// The watch page: takes the token out of the address, gives it to the player, and
// says in words what went wrong when something did.
'use strict';

const sentences = {
  not_authenticated: 'This link does not say who you are. Open the lesson from your school’s platform.',
  token_not_valid: 'Your sign-in has ended or is not valid. Open the lesson from your school’s platform again.',
  user_not_found: 'The person this link was made for is not known here.',
  user_inactive: 'Your account is switched off. Please ask your school.',
  not_found: 'There is no such lesson. It may have been removed.',
  no_media: 'This lesson has no video. Please ask your teacher.',
  no_access: 'This lesson is not shared with you. Please ask your teacher.',
  wrong_recording: 'This link is for another lesson.',
  expired: 'This lesson is no longer available.',
  processing: 'This lesson is still being prepared. Try again in a few minutes.',
  throttled: 'You have started very many lessons in a short time. Try again later.',
  too_many_streams: 'You are already watching in several places. Close one of them and try again.',
  origin_invalid: 'The storage did not give this lesson’s video. Please tell your school.',
  origin_unavailable: 'The storage cannot be reached at the moment. Try again in a minute.',
  origin_quota: 'This lesson has been watched so often today that the storage refuses. Try again later.',
  origin_timeout: 'The storage does not answer. Try again in a minute.',
  catalog_unavailable: 'The list of lessons cannot be reached at the moment. Try again in a minute.',
  overloaded: 'Very many people are watching at the moment. Try again in a minute.',
};
const unknown = 'The lesson cannot be played. Check your connection and try again.';

const video = document.getElementById('video');
const problem = document.getElementById('problem');
const retry = document.getElementById('retry');
const speed = document.getElementById('speed');
const id = location.pathname.split('/').filter(Boolean).pop();

// The token comes once, in the fragment, which never leaves the browser. It stays
// in memory and is removed from the address, so that copying it shares nothing.
const token = new URLSearchParams(location.hash.slice(1)).get('token') || '';
history.replaceState(null, '', location.pathname);

const stream = `/api/recordings/${encodeURIComponent(id)}/stream/`;
const place = `lectern.place.${id}`;

function load() {
  problem.hidden = retry.hidden = true;
  video.src = token ? `${stream}?token=${encodeURIComponent(token)}` : stream;
}

function tell(text) {
  problem.textContent = text;
  problem.hidden = retry.hidden = false;
}

// A <video> only says that it failed. The same question with one byte's range
// gets the reason as JSON.
async function explain() {
  try {
    const headers = { Range: 'bytes=0-0' };
    if (token) headers.Authorization = `Bearer ${token}`;
    const answer = await fetch(stream, { headers, cache: 'no-store' });
    if (answer.ok) {
      tell(unknown);
      return;
    }
    const body = await answer.json();
    tell(sentences[body.code] || unknown);
  } catch {
    tell(unknown);
  }
}

function skip(seconds) {
  video.currentTime = Math.min(Math.max(0, video.currentTime + seconds), video.duration || 0);
}

function toggle() {
  if (video.paused) video.play().catch(() => {});
  else video.pause();
}

video.addEventListener('error', explain);
video.addEventListener('loadedmetadata', () => {
  const left = Number(sessionStorage.getItem(place));
  if (left > 5 && left < video.duration - 5 && video.currentTime === 0) video.currentTime = left;
  video.playbackRate = Number(speed.value);
});
video.addEventListener('timeupdate', () => sessionStorage.setItem(place, String(video.currentTime)));
video.addEventListener('ended', () => sessionStorage.removeItem(place));
speed.addEventListener('change', () => { video.playbackRate = Number(speed.value); });
document.getElementById('back').addEventListener('click', () => skip(-10));
document.getElementById('forward').addEventListener('click', () => skip(10));
retry.addEventListener('click', load);

document.addEventListener('keydown', (event) => {
  // A control that has the focus keeps its own keys.
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('button, select, input, video')) return;
  const keys = { ' ': toggle, ArrowLeft: () => skip(-10), ArrowRight: () => skip(10), m: () => { video.muted = !video.muted; },
    f: () => { if (document.fullscreenElement) document.exitFullscreen(); else video.requestFullscreen().catch(() => {}); } };
  const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

document.getElementById('title').textContent = `Lesson ${id}`;
document.title = `Lesson ${id} · Lectern`;
load();
