// Who is signed in. A link brings a code or the platform's token in the fragment, which never
// leaves the browser; the gateway exchanges either for a cookie that no script can read. What
// is kept here says whose session it is and until when: a hint for this page and the others
// of this browser, no right to anything.

import { SESSION } from './addresses.js';
import { ask, request } from './api.js';
import { takeFromFragment } from './fragment.js';
import { whenIdle } from './idle.js';
import { claims, KEPT, keptSession, userOf } from './viewer.js';

export const FAR = 8.64e15; // the last date that there is
const MOST = 100; // lessons whose cookies a sign-out takes back

let token = ''; // until the cookie is there; of a link for one lesson, which has none; and where the gateway gives no cookie
let role = ''; // as GET /session says
let who = keptSession(); // {user, name, role, ends} or null
let refused = null; // why a link did not sign in
let offer = null; // where one can sign in, {url, label}, as the gateway says where nobody is signed in
let looking = null; // the question to the gateway that is not answered yet
let embedded = null; // what signs an embedded player in, which has a cookie of its own
const subscribers = new Set();

function keep(found) {
  who = found;
  if (embedded) return;
  try {
    if (found) localStorage.setItem(KEPT, JSON.stringify(found));
    else localStorage.removeItem(KEPT);
  } catch { /* then the gateway is asked at every start */ }
  changed('details');
}

export const session = {
  get token() { return token; },
  get signedIn() { return Boolean(token || who); },
  get role() { return role || who?.role || claims(token).role || ''; },
  // hasUser is whether a user is signed in; a link for one lesson signs nobody in.
  get hasUser() { return session.signedIn && session.opens === undefined; },
  // opens is the one recording that a playback token is for, undefined for others.
  get opens() { return claims(token).rid; },
  get ends() { return token ? claims(token).exp * 1000 : who?.ends ?? FAR; },
  get user() { return token ? userOf(token) : who?.user || history.state?.user || ''; },
  get name() { return who?.name || ''; },
  get refused() { return refused; },
  get offer() { return offer; },
  get embedded() { return Boolean(embedded); },
  // onChange calls f('user') whenever another user is signed in, or none any more, and
  // f('details') when what is known of the user changes.
  onChange(f) { subscribers.add(f); },
};

const changed = (what) => subscribers.forEach((f) => f(what));

export let remembered; // what remember has left last

// remember merges facts into the state of the history's entry, which a reload finds.
export function remember(facts) {
  remembered = { ...history.state, ...facts };
  history.replaceState(remembered, '');
}

// send changes the session. It goes by the cookie, or exchanges the token given for one.
export const send = (method, body, bearer = '') => request(SESSION, { method, token: bearer, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), cache: 'no-store' });

// look asks the gateway who is here: by the session, or by the token where there is one.
export function look() {
  looking ??= ask('GET', SESSION).then(learn).finally(() => { looking = null; });
  return looking;
}

function learn({ user, expires_at: expires }) {
  role = user.role;
  if (token) return;
  const id = String(user.id);
  const lessons = who?.user === id ? who.lessons : [];
  keep({ user: id, name: user.name, role: user.role, ends: Date.parse(expires), lessons });
  if (history.state?.user !== id) remember({ user: id });
}

// ended is for a session that the gateway does not take any more. GET /session alone says where
// one can sign in: every refusal waits for its answer, but the one that is its answer.
export async function ended({ signIn: offered }, answersLook) {
  offer = offered ?? offer;
  const first = Boolean(who);
  if (first) keep(null);
  if (answersLook || embedded) return;
  if (first || looking) await look().catch(() => {});
}

// embed makes this the session of an embedded player: exchange makes it one, for this page
// alone, and gives {user, ends} of who is signed in, or throws the refusal.
export function embed(exchange) {
  embedded = exchange;
  who = null;
}

// exchangeEmbedded has an embedded player signed in, or throws the refusal.
export async function exchangeEmbedded() {
  who = await embedded();
}

// begin finds out who is here before anything is shown: from the link, or from before. Where
// nothing is known the gateway is asked.
export async function begin(agree) {
  await takeFragment(agree);
  if (!session.signedIn && !refused) await look().catch(() => {}); // nobody, as far as one knows
}

// takeFragment takes what a link brings out of the address, and signs in with it. Anybody can
// make such a link: where somebody else is signed in, agree asks the person first, and decides.
export async function takeFragment(agree) {
  const [code, given] = takeFromFragment('code', 'token');
  const bearer = code ? '' : given;
  if (!code && !bearer) return;
  refused = null;
  const user = userOf(code || bearer);
  const other = who && who.user !== user;
  // A token opens at once what nobody else has open; the cookie follows. A link for one lesson
  // signs nobody in.
  if (bearer && !other) become(user, bearer);
  if (session.opens !== undefined) return;
  const settled = signIn({ user, code, bearer, agree, other });
  if (code || other) await settled;
}

// become is another user here, or the same with another credential.
function become(user, bearer = '') {
  token = bearer;
  role = '';
  if (history.state?.user !== user) history.replaceState({ user }, '');
  changed('user');
}

// signIn exchanges what a link brought for the cookie, and asks the person where somebody else
// is signed in: without replace the gateway leaves the session of another user alone.
async function signIn({ user, code, bearer, agree, other }) {
  const exchange = (replace) => send('POST', { code: code || undefined, replace }, bearer).then(() => '', (refusal) => refusal.code);
  let problem = other ? 'other_session' : await exchange(false);
  if (problem === 'other_session') {
    token = '';
    if (!(await agree())) {
      await look().catch(() => {});
      changed('user');
      return;
    }
    problem = await exchange(true);
  }
  const { exp, role: claimed } = claims(bearer);
  if (!problem) {
    keep({ user, role: claimed, ends: exp ? exp * 1000 : Date.now() + 60000, lessons: [] });
    if (bearer) token = ''; // from now on the cookie says it
    if (!bearer || other) become(user);
    whenIdle(() => { if (who && !who.name) look().catch(() => {}); });
  } else if (bearer) {
    if (token !== bearer) become(user, bearer); // no cookie: the token has to do while the page is open
  } else if (!who) {
    refused = problem;
    changed('user');
  }
}

// played notes that a lesson's cookie was given, which a sign-out takes back.
export function played(id) {
  if (who && !embedded && !who.lessons?.includes(id)) keep({ ...who, lessons: [id, ...(who.lessons || [])].slice(0, MOST) });
}

// signOut ends the session in all pages of this browser.
export async function signOut() {
  await send('DELETE', { recordings: (who?.lessons || []).map(Number) });
  token = '';
  keep(null);
  history.replaceState({}, '');
  signedOut();
}

// signedOut shows at once that nobody is signed in any more, and then where one can sign in.
async function signedOut() {
  changed('user');
  await look().catch(() => {});
  if (offer || who) changed('user');
}

// What another page of this browser did.
window.addEventListener('storage', ({ key }) => {
  if ((key !== KEPT && key !== null) || token || embedded) return;
  const before = who?.user;
  who = keptSession();
  if (who?.user === before) return changed('details');
  role = '';
  history.replaceState(who ? { user: who.user } : {}, '');
  if (who) changed('user');
  else signedOut();
});
