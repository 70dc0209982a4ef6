// Elements, icons and announcements: all of the page is built here, never from
// markup in strings, so nothing a catalog says can become code.

const ICONS = {
  back: 'M15 5l-7 7 7 7', search: 'M10.5 17a6.5 6.5 0 100-13 6.5 6.5 0 000 13zM20 20l-4.8-4.8', close: 'M6 6l12 12M18 6L6 18',
  trash: 'M4 7h16M9 7V4h6v3M6.5 7l1 13h9l1-13M10 11v5M14 11v5', download: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  pip: 'M3 5h18v14H3zM12 12h6v4h-6z', captions: 'M3 5h18v14H3zM7 13.5h4M13 13.5h4M7 16h7', group: 'M9 11a3.5 3.5 0 100-7 3.5 3.5 0 000 7zM2.5 20c0-3.6 2.9-6 6.5-6s6.5 2.4 6.5 6M16 4.6a3.5 3.5 0 010 6M18 14.5c2.1.9 3.5 2.9 3.5 5.5',
  globe: 'M12 21a9 9 0 100-18 9 9 0 000 18zM3 12h18M12 3c3 3.2 3 14.8 0 18M12 3c-3 3.2-3 14.8 0 18', person: 'M12 12a4 4 0 100-8 4 4 0 000 8zM4.5 20.5c.6-4 3.6-6 7.5-6s6.9 2 7.5 6',
  wait: 'M12 21a9 9 0 100-18 9 9 0 000 18zM12 7v5l3.5 2', alarm: 'M12 4l9.5 16h-19zM12 10v4.5M12 17.4v.1', again: 'M19.5 12a7.5 7.5 0 11-2.2-5.3M19.5 3.5v4h-4',
  lectern: 'M4 6.5h16l-2.5 7h-11zM12 13.5V20M8 20.5h8', key: 'M14.5 13.5a5 5 0 10-4-4L3.5 16.5v4h4v-3h3v-3zM16 8v.1',
};

export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  svg.append(document.createElementNS(svg.namespaceURI, 'path'));
  svg.firstChild.setAttribute('d', ICONS[name]);
  return svg;
}

// el makes an element: el('p.hint', {id: 'x', onclick: f}, 'text', other).
// false, null and undefined leave an attribute or a child out; true sets it bare.
export function el(spec, attributes = {}, ...children) {
  const [tag, ...classes] = spec.split('.');
  const made = document.createElement(tag);
  if (classes.length) made.className = classes.join(' ');
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children.flat().filter((child) => child !== false && child != null && child !== ''));
  return made;
}

export const button = (label, onclick, attributes = {}, ...before) => el('button', { type: 'button', onclick, ...attributes }, ...before, label);

// say announces something to those who listen instead of looking.
export function say(text) {
  document.getElementById('announcer').textContent = text;
}
