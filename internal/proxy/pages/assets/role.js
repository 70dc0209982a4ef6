// What the person who asks is here: a student, a teacher, an administrator.

import { ask } from './api.js';
import { prefer, preference } from './places.js';
import { session } from './session.js';

const kept = () => `role.${session.user}`;

// learnRole is the role by which the lists are chosen. The gateway alone knows it; what it
// said last is good enough to begin with, and asked again with afresh where that was refused.
export async function learnRole({ signal, afresh = false } = {}) {
  const known = afresh ? '' : session.role || preference(kept(), '');
  if (known) return (session.role = known);
  const { role } = await ask('GET', 'me/', { signal });
  prefer(kept(), role);
  return (session.role = role);
}
