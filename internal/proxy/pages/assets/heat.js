// The strip above the bar that shows how many students watched which piece.

export const BUCKET = 10; // seconds, each of which has a number of viewers

const SVG = 'http://www.w3.org/2000/svg';

// makeHeat makes the strip, which is empty until it is filled.
export function makeHeat() {
  const node = document.createElementNS(SVG, 'svg');
  const line = document.createElementNS(SVG, 'path');
  node.setAttribute('class', 'heat');
  node.setAttribute('preserveAspectRatio', 'none');
  node.setAttribute('aria-hidden', 'true');
  node.append(line);
  return {
    node,
    // fill takes the viewers of each bucket, and the lesson's length in seconds.
    fill(buckets, length) {
      const most = Math.max(...buckets, 1);
      node.setAttribute('viewBox', `0 0 ${length} ${most}`);
      line.setAttribute('d', `M0 ${most}${buckets.map((viewers, i) => `V${most - viewers}H${Math.min((i + 1) * BUCKET, length)}`).join('')}V${most}Z`);
    },
  };
}
