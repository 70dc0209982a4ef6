// What a page knows of its viewer without asking the gateway: the session that this browser
// keeps a note of, and what a token in a link says. Both are hints and prove nothing.

export const KEPT = 'lectern.session';

// keptSession is {user, name, role, ends, lessons}, or null where nobody is signed in.
export function keptSession() {
  try {
    const found = JSON.parse(localStorage.getItem(KEPT));
    return found?.ends > Date.now() ? found : null;
  } catch {
    return null; // storage is switched off, or somebody else wrote there
  }
}

// claims reads a token's middle part.
export function claims(token) {
  try {
    const raw = atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(raw, (c) => c.charCodeAt(0))));
  } catch {
    return {};
  }
}

export const userOf = (token) => String(claims(token).user_id ?? claims(token).sub ?? '');
