// Links to a place of a lesson: /watch/7#t=1234, in seconds or as 1h2m3s.

import { el, say } from './dom.js';
import { fragment, takeFromFragment } from './fragment.js';
import { remember, remembered, session } from './session.js';
import { t } from './words.js';

// fragmentTime is the place that the address names, undefined where it names none.
export function fragmentTime() {
  const text = fragment().get('t') ?? '';
  const [whole, h, m, s] = text.match(/^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?$/) || [];
  return whole ? Number(h || 0) * 3600 + Number(m || 0) * 60 + Number(s || 0) : undefined;
}

// takeFragmentTime removes the place from the address: a reload goes on where one was, not
// where one came in.
export function takeFragmentTime() {
  const found = fragmentTime();
  if (found !== undefined) takeFromFragment('t');
  return found;
}

// copyLink puts a link to a place into the clipboard, or into a field where the browser lets
// no page write there.
export async function copyLink(id, seconds, pressed) {
  const link = `${location.origin}/watch/${id}#t=${Math.floor(seconds)}`;
  try {
    await navigator.clipboard.writeText(link);
    say(t.copied);
    const before = pressed.lastChild.data;
    pressed.lastChild.data = t.copied;
    setTimeout(() => { pressed.lastChild.data = before; }, 2000);
  } catch {
    const field = el('input.link', { value: link, readonly: true, 'aria-label': t.copyLink, onblur: () => field.remove() });
    pressed.after(field);
    field.select();
  }
}

// followFragment calls back for a place that the address names while the lesson is open. The
// entry that the browser makes for it has no state, which a reload needs: it gets the lesson's.
export function followFragment(go) {
  remember(history.state ?? { user: session.user });
  const follow = () => {
    if (!history.state) remember(remembered);
    const seconds = takeFragmentTime();
    if (seconds !== undefined) go(seconds);
  };
  window.addEventListener('hashchange', follow);
  return () => window.removeEventListener('hashchange', follow);
}
