// WebVTT as the page reads it: captions, chapters and the storyboard. The gateway serves
// files that it has checked, so what cannot be read costs the one block.

const TIMES = /^\s*((?:\d+:)?\d+:\d\d[.,]\d{3})\s+-->\s+(?:\d+:)?\d+:\d\d[.,]\d{3}/;
const ENTITIES = { amp: '&', lt: '<', gt: '>', nbsp: '\u00a0', lrm: '\u200e', rlm: '\u200f', quot: '"', '#39': '\'' };

const seconds = (text) => text.replace(',', '.').split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
const unescaped = (text) => text.replace(/&(\w+|#39);/g, (all, name) => ENTITIES[name] ?? all);
const escaped = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

const linesOf = (source) => source.replace(/^\ufeff/, '').split(/\r\n|\n|\r/);

// parseVTT gives the cues: the start in seconds, the speaker ('' where none is named),
// the text without tags, its raw payload, and the lines [from, to) that the payload takes up.
export function parseVTT(source) {
  const lines = linesOf(source);
  const cues = [];
  for (let i = 0; i < lines.length; i++) {
    const times = lines[i].match(TIMES);
    if (!times) continue;
    const from = i + 1;
    while (i + 1 < lines.length && lines[i + 1] !== '') i++;
    const raw = lines.slice(from, i + 1).join('\n');
    const [, speaker = ''] = raw.match(/<v(?:\.[^\s>]*)?\s+([^>]*)>/) || [];
    cues.push({ start: seconds(times[1]), speaker: unescaped(speaker.trim()), text: spoken(raw), raw, from, to: i + 1 });
  }
  return cues;
}

// spoken is a payload without its tags. A second speaker of a cue is named in the text.
function spoken(raw) {
  let voices = 0;
  const text = raw.replace(/<v(?:\.[^\s>]*)?\s+([^>]*)>/g, (tag, name) => (voices++ ? `${name.trim()}: ` : '')).replace(/<[^>]*>/g, '');
  return unescaped(text).split('\n').map((line) => line.trim()).filter(Boolean).join('\n');
}

// replaceCue is the source with another text for one cue. An empty line would end the cue.
export function replaceCue(source, cue, text) {
  const lines = linesOf(source);
  const voice = cue.raw.match(/^<v[^>]*>/)?.[0] ?? '';
  const payload = text.split(/\s*\n\s*/).filter(Boolean).map(escaped);
  lines.splice(cue.from, cue.to - cue.from, ...(payload.length ? [voice + payload[0], ...payload.slice(1)] : [voice]));
  return lines.join('\n');
}

// indexAt is the last of the sorted items that has begun at a time, -1 before the first.
export function indexAt(items, time) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle].start <= time) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
