// Who is signed in in an embedded player: the user of the code in its address. The gateway
// exchanges it for a cookie that browsers keep apart for each site whose page is around.

import { Refused } from './api.js';
import { takeFromFragment } from './fragment.js';
import { embed, exchangeEmbedded, FAR, send } from './session.js';
import { userOf } from './viewer.js';

const KEPT = 'lectern.embed'; // the user of the last code; browsers keep it apart like the cookie

let code = ''; // until it is exchanged
let refused = 'not_authenticated'; // why there is nobody, where there is no code any more

export let unspent = ''; // the code of a frame that can have no cookie: a tab of its own can

// takesCookies is whether this frame keeps a cookie of the kind that it is given.
function takesCookies() {
  const probe = (life) => { document.cookie = `lectern_probe=1; Path=/embed/; Max-Age=${life}; SameSite=None; Secure; Partitioned`; };
  try {
    probe(60);
    const kept = document.cookie.includes('lectern_probe=1');
    probe(0);
    return kept;
  } catch {
    return false; // the frame is sandboxed
  }
}

function lastUser() {
  try {
    return localStorage.getItem(KEPT) ?? '';
  } catch {
    return ''; // storage is switched off
  }
}

// begin signs in with the code of the address or, without one, goes on with the cookie that is
// there. Where it cannot, the lesson tries again as it opens, and says why.
export async function begin() {
  [code] = takeFromFragment('code');
  embed(code ? exchange : goOn);
  await exchangeEmbedded().catch(() => {});
}

const goOn = () => ({ user: lastUser(), ends: FAR });

// exchange exchanges the code. One that does not count any more, since the page around was
// reloaded, goes on with the cookie of the same user and no other's.
async function exchange() {
  if (!code) throw new Refused(401, refused);
  const user = userOf(code);
  if (!takesCookies()) {
    [unspent, code] = [code, ''];
    return exchange();
  }
  const problem = await send('POST', { code, embed: true }).then(() => null, (refusal) => refusal);
  if (problem && problem.status !== 401) throw problem; // it may pass
  code = '';
  if (problem && user !== lastUser()) {
    refused = problem.code;
    throw problem;
  }
  try {
    localStorage.setItem(KEPT, user);
  } catch { /* then a reload needs another code */ }
  return { user, ends: FAR };
}
