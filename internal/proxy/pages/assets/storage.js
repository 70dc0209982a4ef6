// A teacher's storage: how much there is and how much of it is used.

import { ask } from './api.js';
import { el } from './dom.js';
import { count, percent, size } from './format.js';
import { t } from './words.js';

const TIGHT = 0.8; // the platform warns from here on

export function makeStorage() {
  const bar = el('span');
  const meter = el('div.meter', { role: 'meter', 'aria-label': t.storage, 'aria-valuemin': 0, 'aria-valuemax': 100 }, bar);
  const used = el('p');
  const warning = el('p.warning', { hidden: true });
  const node = el('section.storage', { 'aria-label': t.storage, hidden: true }, el('div.storage-row', {}, el('h2', {}, t.storage), used), meter, warning);

  async function refresh() {
    let quota;
    try {
      quota = await ask('GET', 'storage/quota/');
    } catch {
      node.hidden = true; // the lessons matter more than their weight
      return;
    }
    const share = quota.total_quota_bytes ? Math.min(1, quota.used_bytes / quota.total_quota_bytes) : 0;
    const full = quota.quota_exceeded || share >= 1;
    const text = t.storageUsed.replace('{0}', size(quota.used_bytes)).replace('{1}', size(quota.total_quota_bytes));
    used.textContent = `${text} · ${count(quota.recordings_count, t.recordings)}`;
    bar.hidden = !share;
    bar.style.inlineSize = `${(share * 100).toFixed(1)}%`;
    meter.setAttribute('aria-valuenow', Math.round(share * 100));
    meter.setAttribute('aria-valuetext', `${percent(share)}: ${text}`);
    node.classList.toggle('tight', share >= TIGHT && !full);
    node.classList.toggle('full', full);
    warning.hidden = share < TIGHT && !full;
    warning.textContent = full ? t.storageFull : t.storageTight;
    node.hidden = false;
  }

  return { node, refresh };
}
