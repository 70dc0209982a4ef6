// What stands where a list will be.

import { el } from './dom.js';
import { t } from './words.js';

export function skeleton() {
  const row = () => el('li.lesson.skeleton', {}, el('span.bone.picture'), el('div.what', {}, el('span.bone.long'), el('span.bone.short')));
  return el('section', { 'aria-label': t.loading }, el('span.bone.heading'), el('ul', { 'aria-hidden': 'true' }, [0, 1, 2, 3, 4].map(row)));
}
