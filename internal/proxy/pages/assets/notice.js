// Notices: a sign, what is so, and what one can do about it.

import { el, icon, button } from './dom.js';
import { watchNetwork } from './network.js';
import { reach } from './offline.js';
import { session } from './session.js';
import { sentence, t } from './words.js';

const SIGNS = { not_authenticated: 'key', token_not_valid: 'key', not_signed_in_here: 'key', user_not_found: 'key', user_inactive: 'key', processing: 'wait', throttled: 'wait', overloaded: 'wait', too_many_streams: 'wait' };
const SIGNED_OUT = ['not_authenticated', 'token_not_valid'];
const HOPELESS = ['not_authenticated', 'token_not_valid', 'code_not_valid', 'not_signed_in_here', 'user_not_found', 'user_inactive', 'not_found', 'no_media', 'no_access', 'wrong_recording', 'expired', 'unsupported'];
const PATIENCE = 120; // seconds; who is sent away for longer presses the button

export const notice = (sign, title, text, ...more) => build('h2', sign, title, text, more);

// pageNotice is a notice that has the page to itself: its title is the page's heading.
export const pageNotice = (sign, title, text, ...more) => build('h1', sign, title, text, more);

function build(heading, sign, title, text, more) {
  return el('div.notice', {}, icon(sign), el(heading, {}, title), el('p', {}, text), ...more);
}

// signInLink leads to the sign-in that the gateway offers, if any, and back to this address.
export function signInLink() {
  if (!session.offer) return [];
  const { url, label } = session.offer;
  const next = encodeURIComponent(location.pathname + location.search + location.hash);
  return [el('a.button.primary', { href: `${url}?next=${next}` }, t.signInWith.replace('{0}', () => label))];
}

// signInText says how one signs in: by the button, or by a link of the platform where there is none.
export const signInText = (byLink) => (session.offer ? t.signInHere : byLink);

// problemNotice explains a refusal. Where trying again can help there is a button. The page
// presses it by itself where the gateway said when, and once a lost network is back.
export function problemNotice(problem, again, ...more) {
  const [what, todo] = sentence(problem.code);
  const made = notice(SIGNS[problem.code] || 'alarm', what, SIGNED_OUT.includes(problem.code) ? signInText(todo) : todo);
  made.setAttribute('role', 'alert');
  made.dataset.code = problem.code;
  if (HOPELESS.includes(problem.code)) {
    if (SIGNS[problem.code] === 'key') made.append(...signInLink());
    made.append(...more);
    return made;
  }
  const press = button(t.retry, () => again(), { class: 'primary' });
  made.append(el('div.actions', {}, press, ...more));
  if (problem.code === 'offline') retryWhenBack(made, again);
  if (problem.retryAfter > 0 && problem.retryAfter <= PATIENCE) {
    let left = Math.ceil(problem.retryAfter);
    const counter = el('p.hint', { 'aria-hidden': 'true' });
    const show = () => { counter.textContent = t.retryIn.replace('{0}', left); };
    const timer = setInterval(() => {
      if (--left > 0 && made.isConnected) return show();
      clearInterval(timer);
      if (made.isConnected) again(); // else somebody pressed, or left
    }, 1000);
    show();
    made.append(counter);
  }
  return made;
}

// retryWhenBack tries again once the gateway can be reached, unless the notice is gone by then.
function retryWhenBack(made, again) {
  const network = watchNetwork({
    probe: async () => made.isConnected && reach(),
    lost() {},
    back() {
      network.close();
      if (made.isConnected) again();
    },
  });
  network.lose();
}
