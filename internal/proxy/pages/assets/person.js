// Who is signed in, at the top of every page, and the way out.

import { button, el, say } from './dom.js';
import { session, signOut } from './session.js';
import { t } from './words.js';

// showPerson keeps the masthead true.
export function showPerson(masthead) {
  const name = el('span.name', { dir: 'auto' });
  const out = button(t.signOut, leave);
  const person = el('div.person', { hidden: true }, name, out);
  masthead.append(person);

  function show() {
    person.hidden = !session.hasUser;
    name.textContent = session.name;
    name.title = session.name;
  }

  async function leave() {
    out.disabled = true;
    try {
      await signOut();
      say(t.signedOut);
    } catch {
      say(t.signOutFailed);
    } finally {
      out.disabled = false;
    }
  }

  session.onChange(show);
  show();
}
