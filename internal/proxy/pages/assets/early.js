// Stands in the document itself, and runs before the page's script is here: a lesson's grant is
// requested while that is on its way, which saves a round trip. Where it is not clear who plays
// the lesson, as with a link of another user, with a code or for one lesson, nothing is
// requested. playback.js uses the response.

import { grantOf, LESSON } from './addresses.js';
import { fragment } from './fragment.js';
import { claims, keptSession, userOf } from './viewer.js';

const id = location.pathname.match(LESSON)?.[1];
const token = fragment().get('token') ?? '';
const kept = keptSession();
const user = token ? userOf(token) : kept?.user;
if (id && user && (kept?.user ?? user) === user && claims(token).rid === undefined && !fragment().has('code')) {
  const headers = { Accept: 'application/json' };
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = fetch(grantOf(id), { method: 'POST', headers, credentials: 'same-origin', cache: 'no-store' });
  response.catch(() => {}); // for what awaits it
  window.earlyGrant = { id, user, token, response };
}
