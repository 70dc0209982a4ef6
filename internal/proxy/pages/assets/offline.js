// A line above the library while the network is gone.

import { el } from './dom.js';
import { watchNetwork } from './network.js';
import { t } from './words.js';

// reach succeeds when the gateway can be reached; what it answers does not matter.
export const reach = () => fetch('/readyz', { method: 'HEAD', cache: 'no-store', credentials: 'omit' });

// makeOffline says so at once; back is called when the gateway is reached again.
export function makeOffline(back) {
  const node = el('p.offline', { role: 'status', hidden: true });
  const network = watchNetwork({
    probe: reach,
    lost() {
      node.textContent = t.libraryOffline;
      node.hidden = false;
    },
    back() {
      node.textContent = '';
      node.hidden = true;
      back();
    },
  });
  return { node, lose: network.lose };
}
