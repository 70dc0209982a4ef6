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

// takeFragment moves a token from the address into memory.
export function takeFragment() {
  const found = new URLSearchParams(location.hash.slice(1)).get('token');
  if (!found) return;
  token = found;
  role = '';
  const before = history.state?.user === userOf(found) ? history.state : {};
  history.replaceState({ ...before, user: userOf(found) }, '', location.pathname + location.search);
  arrivals.forEach((f) => f());
}

// askTabs asks this site's other open pages for the token: a lesson opened in a
// new tab, or reloaded, has none. A page that belonged to somebody takes theirs only.
export async function askTabs() {
  if (token || !tabs) return;
  const wanted = history.state?.user || '';
  tabs.postMessage({ ask: wanted });
  await new Promise((done) => {
    const end = setTimeout(done, 120);
    tabs.addEventListener('message', function hear({ data }) {
      if (!data.token || (wanted && userOf(data.token) !== wanted)) return;
      tabs.removeEventListener('message', hear);
      clearTimeout(end);
      token ||= data.token;
      remember({ user: userOf(token) });
      done();
    });
  });
}

tabs?.addEventListener('message', ({ data }) => {
  if (token && data.ask !== undefined && (!data.ask || data.ask === userOf(token))) tabs.postMessage({ token });
});
window.addEventListener('hashchange', takeFragment);
