// What the person who asks is here: a student, a teacher, an administrator.

import { look, session } from './session.js';

// LISTS are the lists of lessons by role; an administrator has none.
export const LISTS = { student: 'recordings/', teacher: 'recordings/teacher/' };

// learnRole is the role by which the lists are chosen. The gateway alone knows it; what it
// said last is good enough to begin with, and asked again with afresh where that was refused.
export async function learnRole({ afresh = false } = {}) {
  if (afresh || !session.role) await look();
  return session.role;
}
