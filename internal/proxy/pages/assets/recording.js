// What a recording is called, and whether it plays.

import { t } from './words.js';

export const titleOf = (recording) => recording.title || recording.lesson_info?.title || t.untitled.replace('{0}', recording.id);

// playable reports whether a recording has something to watch.
export const playable = ({ status }) => ['ready', 'archived'].includes(status);
