// Who is asking. The platform's token comes once, in the fragment, which never
// leaves the browser; it lives in memory only. history.state keeps what a reload
// needs and nobody may mind: whose page this is, never a token.

let token = '';
let role = ''; // as the gateway showed by what it lets this user see
const arrivals = new Set();
const tabs = 'BroadcastChannel' in window ? new BroadcastChannel('lectern') : null;

// claims reads the token's middle part: a hint for what to ask first, no proof.
function claims(of) {
  try {
    const raw = atob(of.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(raw, (c) => c.charCodeAt(0))));
  } catch {
    return {};
  }
}

const userOf = (of) => String(claims(of).user_id ?? claims(of).sub ?? '');

export const session = {
  get token() { return token; },
  get role() { return role || claims(token).role || ''; },
  set role(found) { role = found; },
  // opens is the one recording that a playback token is for, undefined for others.
  get opens() { return claims(token).rid; },
  get ends() { return claims(token).exp * 1000; },
  get user() { return token ? userOf(token) : history.state?.user || ''; },
  // onArrival calls back whenever a new token came.
  onArrival(f) { arrivals.add(f); },
};

// remember merges facts into what a reload of this entry finds.
export function remember(facts) {
  history.replaceState({ ...history.state, ...facts }, '');
}

// Each page that is signed in holds a shared lock named after its user, so that another
// page sees at once who is.
const LOCK = 'lectern-user:';
let unlock = () => {};

function become(found) {
  token = found;
  role = '';
  lock();
}

function lock() {
  unlock();
  navigator.locks?.request(LOCK + userOf(token), { mode: 'shared' }, () => new Promise((done) => { unlock = done; }));
}

// Whoever leaves a page is not signed in there any more; the browser alone would release
// the lock later, when the next page may have looked already.
window.addEventListener('pagehide', () => unlock());
window.addEventListener('pageshow', (event) => { if (event.persisted && token) lock(); });

// signedIn are the users of this page and of this site's other open pages. Without locks,
// which need https, the other pages are asked.
async function signedIn() {
  if (token) return claims(token).exp * 1000 > Date.now() ? [userOf(token)] : [];
  if (!navigator.locks) return [userOf(await tokenOfTabs(''))].filter(Boolean);
  const { held } = await navigator.locks.query();
  return held.filter((lock) => lock.name.startsWith(LOCK)).map((lock) => lock.name.slice(LOCK.length));
}

// withoutToken is the fragment with what else is in it, as a lesson's place.
function withoutToken() {
  const rest = new URLSearchParams(location.hash.slice(1));
  for (const name of ['token', 'code']) rest.delete(name);
  const hash = String(rest);
  return hash && `#${hash}`;
}

// takeFragment moves a token from the address into memory. Anybody can make such a link:
// where somebody else is signed in, agree asks the person first, and decides.
export async function takeFragment(agree) {
  const found = new URLSearchParams(location.hash.slice(1)).get('token');
  if (!found) return;
  const user = userOf(found);
  const before = history.state?.user === user ? history.state : {};
  const users = await signedIn();
  const other = users.length > 0 && !users.includes(user);
  history.replaceState(other ? history.state : { ...before, user }, '', location.pathname + location.search + withoutToken());
  if (other) {
    if (await agree()) remember({ user });
    else {
      remember({ user: users[0] });
      await askTabs();
      arrivals.forEach((f) => f());
      return;
    }
  }
  become(found);
  arrivals.forEach((f) => f());
}

// askTabs asks this site's other open pages for the token: a lesson opened in a
// new tab, or reloaded, has none. A page that belonged to somebody takes theirs only.
export async function askTabs() {
  if (token) return;
  const found = await tokenOfTabs(history.state?.user || '');
  if (!found || token) return;
  become(found);
  remember({ user: userOf(found) });
}

// tokenOfTabs is the token of another open page, of a user where one is wanted, or ''. Where
// locks show that nobody is signed in, none is asked.
async function tokenOfTabs(wanted) {
  if (!tabs || (navigator.locks && !(await signedIn()).some((user) => !wanted || user === wanted))) return '';
  tabs.postMessage({ ask: wanted });
  return new Promise((done) => {
    const hear = ({ data }) => {
      if (data.token && (!wanted || userOf(data.token) === wanted)) end(data.token);
    };
    const end = (found) => {
      tabs.removeEventListener('message', hear);
      clearTimeout(timer);
      done(found);
    };
    const timer = setTimeout(end, 120, '');
    tabs.addEventListener('message', hear);
  });
}

tabs?.addEventListener('message', ({ data }) => {
  if (token && data.ask !== undefined && (!data.ask || data.ask === userOf(token))) tabs.postMessage({ token });
});
