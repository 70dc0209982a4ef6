// Where each lesson was left, and how this person likes to watch. Kept in this
// browser, per user of a shared one; a place is a number of seconds, nothing more. The
// gateway's places, which other devices have reported, are taken over where they are later.

import { ask } from './api.js';
import { session } from './session.js';

const KEPT = 300; // lessons; the oldest are forgotten
const key = () => `lectern.places.${session.user}`;

function read(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(name)) ?? otherwise;
  } catch {
    return otherwise; // storage is switched off, or somebody else wrote there
  }
}

function write(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch { /* a full or forbidden storage costs the comfort only */ }
}

// placeOf is where a lesson was left: {at, of} in seconds, of 0 when never begun.
export function placeOf(id) {
  const [at, of] = read(key(), {})[id] || [0, 0];
  return { at, of };
}

// recentPlaces are the places of all lessons that were begun, the last one first.
export function recentPlaces() {
  return Object.entries(read(key(), {})).sort((a, b) => b[1][2] - a[1][2]).map(([id, [at, of]]) => ({ id: Number(id), at, of }));
}

export function keepPlace(id, at, of) {
  const places = read(key(), {});
  places[id] = [Math.round(at), Math.round(of), Date.now()];
  const newest = Object.entries(places).sort((a, b) => b[1][2] - a[1][2]).slice(0, KEPT);
  write(key(), Object.fromEntries(newest));
}

const ASKED = 100; // lessons of one request, the gateway's limit

// fetchPlaces takes over what the gateway knows later places of, and says whether there was any.
export async function fetchPlaces(ids) {
  if (!ids.length || !session.hasUser) return false;
  const states = await fetchStates(ids.slice(0, ASKED)).catch(() => ({}));
  const places = read(key(), {});
  let news = false;
  for (const id of ids) {
    const { position, duration, updated_at: updated } = states[id] || {};
    if (!updated) continue;
    // By this computer's clock, which may be wrong.
    const at = Date.parse(updated) + Date.now() - states.serverTime;
    const [, of, when] = places[id] || [0, 0, 0];
    if (at <= when) continue;
    places[id] = [Math.round(position), Math.round(Math.max(of || duration, position)), at];
    news = true;
  }
  if (news) write(key(), places);
  return news;
}

// fetchStates asks for the watch states of lessons. An embedded player may ask for its own lesson's.
async function fetchStates(ids) {
  if (!session.embedded) return ask('GET', `watch-states/?ids=${ids.join()}`);
  const state = await ask('GET', `recordings/${ids[0]}/watch-state/`);
  return { [ids[0]]: state, serverTime: state.serverTime };
}

export const preference = (name, otherwise) => read(`lectern.${name}`, otherwise);
export const prefer = (name, value) => write(`lectern.${name}`, value);
