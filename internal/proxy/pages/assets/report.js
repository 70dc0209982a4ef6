// What the gateway keeps of a lesson: where one is and which pieces were played, so that
// another device goes on there.

import { ask } from './api.js';
import { session } from './session.js';

const EVERY = 10000; // ms between two reports of a running lesson
const SETTLE = 1000; // ms after a seek, in which others may follow
const JUMP = 15; // seconds between two looks at the video that are no playing any more
const MOST = 200; // pieces of one report

const milli = (seconds) => Math.round(seconds * 1000) / 1000;

// makeReport reports on a video. hold() keeps it from reporting while the lesson is refused.
export function makeReport(id, video) {
  let played = []; // [from, to] in seconds, not reported
  let last = -1; // where the video was when one looked, -1 = it was not playing
  let sent = Date.now();
  let held = true;
  let settling = 0;

  function look() {
    const now = milli(video.currentTime);
    if (video.seeking || last < 0 || now < last || now - last > JUMP) {
      last = video.paused || video.seeking ? -1 : now;
      return;
    }
    if (now > last) {
      const piece = played.at(-1);
      if (piece?.[1] === last) piece[1] = now;
      else played.push([last, now]);
    }
    last = video.paused ? -1 : now;
  }

  async function send(keepalive = false) {
    clearTimeout(settling);
    if (held || !session.hasUser || !video.duration) return;
    const these = played.slice(-MOST);
    played = [];
    sent = Date.now();
    try {
      await ask('PUT', `recordings/${id}/watch-state/`, { body: { position: milli(video.currentTime), played: these }, keepalive });
    } catch (problem) {
      if (problem.status === 400) held = true; // the gateway knows the lesson as shorter: it will not take the next one either
      else played = [...these, ...played].slice(-MOST);
    }
  }

  const listeners = {
    playing: look,
    timeupdate() {
      look();
      if (!video.paused && Date.now() - sent > EVERY) send();
    },
    pause() {
      look();
      send();
    },
    seeking() { last = -1; },
    seeked() {
      clearTimeout(settling);
      if (video.currentTime > 0) settling = setTimeout(send, SETTLE);
    },
  };
  for (const [name, f] of Object.entries(listeners)) video.addEventListener(name, f);
  const leave = () => {
    look();
    if (played.length) send(true);
  };
  window.addEventListener('pagehide', leave);
  return {
    hold(on) { held = on; },
    close() {
      leave();
      clearTimeout(settling);
      window.removeEventListener('pagehide', leave);
      for (const [name, f] of Object.entries(listeners)) video.removeEventListener(name, f);
    },
  };
}
