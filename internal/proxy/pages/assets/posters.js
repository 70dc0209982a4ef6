// Pictures of lessons. The access rule of a lesson is its picture's too, and an <img> sends no
// token: the page fetches pictures like everything else, as they come into sight, and draws
// them. What has none keeps its quiet ground.

import { fetchFile } from './api.js';
import { el } from './dom.js';
import { dayNumber, weekday } from './format.js';

const DENSEST = 2; // pixels for each of the page's; more are not seen
const NEAR = '300px'; // how far below the sight a picture is fetched
const OURS = /^(?:https?:\/\/[^/]+)?((?:\/schedule)?\/api\/(?:schedule\/)?recordings\/\d+\/poster\.jpg(?:\?\S*)?)$/;

// makePoster is a lesson's picture, and its day where there is none.
export function makePoster({ thumbnail_url: address, lesson_info: lesson, created_at: arrived }, ...over) {
  const at = lesson?.start_time || arrived;
  const node = el('div.poster', {}, el('span.day', { 'aria-hidden': 'true' }, el('span', {}, dayNumber(at)), el('small', {}, weekday(at))), over);
  const path = ownPath(address);
  if (path && !navigator.connection?.saveData) {
    wanted.set(node, path);
    inSight.observe(node);
  }
  return node;
}

// ownPath is the path of a picture of the gateway's; the policy of the page allows no others.
const ownPath = (address) => address?.match(OURS)?.[1] ?? '';

const wanted = new WeakMap(); // nodes that have no picture yet, and its path
const fetching = new WeakMap();

// A node that leaves the sight, as all do when a lesson opens, gives its line back at once.
const inSight = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) {
    if (isIntersecting) load(target);
    else fetching.get(target)?.abort();
  }
}, { rootMargin: NEAR });

async function load(node) {
  if (fetching.has(node)) return;
  const mine = new AbortController();
  fetching.set(node, mine);
  try {
    const picture = await createImageBitmap(await fetchFile(wanted.get(node), { signal: mine.signal }));
    inSight.unobserve(node);
    node.prepend(drawn(picture, node.clientWidth));
    node.classList.add('shown');
  } catch (problem) {
    if (problem.status) inSight.unobserve(node); // there is none; what failed otherwise is tried again in sight
  } finally {
    fetching.delete(node);
  }
}

// drawn is a picture that fills a canvas of 16 by 9 as wide as its place; what is too wide or
// too high is cut alike on both sides.
function drawn(picture, place) {
  const width = Math.round(place * Math.min(devicePixelRatio, DENSEST)) || picture.width;
  const height = Math.round(width * 9 / 16);
  const canvas = el('canvas', { width, height, 'aria-hidden': 'true' });
  const scale = Math.max(width / picture.width, height / picture.height);
  const [wide, high] = [picture.width * scale, picture.height * scale];
  const context = canvas.getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.drawImage(picture, (width - wide) / 2, (height - high) / 2, wide, high);
  picture.close();
  return canvas;
}

// progressBar lies at the foot of a picture: how far somebody came.
export function progressBar(share) {
  const bar = el('span');
  bar.style.inlineSize = `${Math.round(Math.min(1, share) * 100)}%`;
  return el('span.track', { 'aria-hidden': 'true' }, bar);
}
