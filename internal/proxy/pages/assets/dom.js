// Elements, icons and announcements: all of the page is built here, never from
// markup in strings, so nothing a catalog says can become code.

const ICONS = {
  back: 'M15 5l-7 7 7 7', search: 'M10.5 17a6.5 6.5 0 100-13 6.5 6.5 0 000 13zM20 20l-4.8-4.8',
  trash: 'M4 7h16M9 7V4h6v3M6.5 7l1 13h9l1-13M10 11v5M14 11v5', download: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  pip: 'M3 5h18v14H3zM12 12h6v4h-6z', captions: 'M3 5h18v14H3zM7 13.5h4M13 13.5h4M7 16h7', group: 'M9 11a3.5 3.5 0 100-7 3.5 3.5 0 000 7zM2.5 20c0-3.6 2.9-6 6.5-6s6.5 2.4 6.5 6M16 4.6a3.5 3.5 0 010 6M18 14.5c2.1.9 3.5 2.9 3.5 5.5',
  globe: 'M12 21a9 9 0 100-18 9 9 0 000 18zM3 12h18M12 3c3 3.2 3 14.8 0 18M12 3c-3 3.2-3 14.8 0 18', person: 'M12 12a4 4 0 100-8 4 4 0 000 8zM4.5 20.5c.6-4 3.6-6 7.5-6s6.9 2 7.5 6',
  wait: 'M12 21a9 9 0 100-18 9 9 0 000 18zM12 7v5l3.5 2', alarm: 'M12 4l9.5 16h-19zM12 10v4.5M12 17.4v.1', again: 'M19.5 12a7.5 7.5 0 11-2.2-5.3M19.5 3.5v4h-4',
  play: 'M7 4.5v15l12.5-7.5z', pause: 'M8.5 5v14M15.5 5v14', volume: 'M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4.2 4.2 0 010 6M18 6.5a7.8 7.8 0 010 11', muted: 'M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM16 9.5l5 5M21 9.5l-5 5',
  fullscreen: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5', gear: 'M12 15.2a3.2 3.2 0 100-6.4 3.2 3.2 0 000 6.4zM12 3v3M12 18v3M3 12h3M18 12h3M5.6 5.6l2.2 2.2M16.2 16.2l2.2 2.2M18.4 5.6l-2.2 2.2M7.8 16.2l-2.2 2.2',
  help: 'M12 21a9 9 0 100-18 9 9 0 000 18zM9.5 9.5a2.5 2.5 0 114 2c-1 .7-1.5 1.2-1.5 2.3M12 17v.1', link: 'M10 14a4 4 0 005.7 0l3.5-3.5a4 4 0 00-5.7-5.7L12 6.3M14 10a4 4 0 00-5.7 0l-3.5 3.5a4 4 0 005.7 5.7l1.5-1.5',
  sound: 'M4 14v-2a8 8 0 0116 0v2M4 14h3v6H4zM17 14h3v6h-3z', edit: 'M4 20l1-4L16.5 4.5l3 3L8 19zM14 7l3 3', upload: 'M12 15V4M7 9l5-5 5 5M5 20h14', up: 'M6 15l6-6 6 6', down: 'M6 9l6 6 6-6', forward: 'M9 5l7 7-7 7', plus: 'M12 5v14M5 12h14',
  target: 'M12 19a7 7 0 100-14 7 7 0 000 14zM12 2v4M12 18v4M2 12h4M18 12h4',
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

// saveFile has the browser save a Blob under a name.
export function saveFile(blob, name) {
  const link = el('a', { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// say announces something to those who listen instead of looking.
export function say(text) {
  document.getElementById('announcer').textContent = text;
}
