// The panel beside the picture, below it on a phone: what was said, and the chapters.

import { el } from './dom.js';
import { t } from './words.js';

// makePanel shows one of its parts at a time. A part is hidden until it has something to show.
export function makePanel() {
  const tabs = el('div.tabs', { role: 'tablist', 'aria-label': t.panel });
  const node = el('section.panel', { 'aria-label': t.panel, hidden: true }, tabs);
  const parts = new Map();
  let chosen = ''; // by the viewer

  const shown = () => [...parts.keys()].filter((name) => !parts.get(name).tab.hidden);

  function select(name) {
    for (const [other, { tab, body }] of parts) {
      const on = other === name;
      tab.setAttribute('aria-selected', String(on));
      tab.tabIndex = on ? 0 : -1;
      body.hidden = !on;
    }
    parts.get(name).body.dispatchEvent(new Event('shown'));
  }

  tabs.addEventListener('keydown', (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    const names = shown();
    const at = names.findIndex((name) => parts.get(name).tab === document.activeElement);
    const next = names[(at + by + names.length) % names.length];
    select(chosen = next);
    parts.get(next).tab.focus();
    event.preventDefault();
  });

  return {
    node,
    add(name, label, body) {
      const tab = el('button', { type: 'button', role: 'tab', id: `tab-${name}`, 'aria-controls': `panel-${name}`, 'aria-selected': 'false', tabindex: '-1', hidden: true, onclick: () => select(chosen = name) }, label);
      Object.assign(body, { id: `panel-${name}`, hidden: true });
      body.setAttribute('role', 'tabpanel');
      body.setAttribute('aria-labelledby', tab.id);
      parts.set(name, { tab, body });
      tabs.append(tab);
      node.append(body);
    },
    // show lets a part be chosen, or not. The first one that can be is shown until one was.
    show(name, has) {
      parts.get(name).tab.hidden = !has;
      const names = shown();
      node.hidden = !names.length;
      if (names.length) select(names.includes(chosen) ? chosen : names[0]);
    },
  };
}
