// What early.js has begun before this script was here.

import { fetchPlaces } from './places.js';
import { session } from './session.js';

const LATEST = 250; // ms that the page waits with its own work for a first frame

// claimEarly keeps what was begun only where it was by what the viewer is signed in with, before a
// link's token becomes a session, and waits for the first frame. To build the page and lay it out takes the
// processor as long as that needs, which the frame would wait for. Where the lesson was left is
// requested meanwhile.
export async function claimEarly() {
  const { early } = window;
  if (!early) return;
  if (early.token !== session.token) return void takeEarly();
  early.placed = fetchPlaces([early.id]);
  await Promise.race([early.framed, new Promise((late) => { setTimeout(late, LATEST); })]);
}

// takeEarly takes over what was begun, once, where that was for the same lesson and user: the
// response to the request for a grant, the video, the names of the events that the video has
// had, and placed, which fetchPlaces returned. Otherwise there are none.
export function takeEarly(id) {
  const { early } = window;
  delete window.early;
  if (!early) return {};
  if (early.id === id && early.user === session.user) return { ...early, events: [...early.events] };
  early.video.removeAttribute('src');
  early.video.load();
  return {};
}
