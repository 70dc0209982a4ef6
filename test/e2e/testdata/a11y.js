// What a machine can tell of a page's accessibility: names, headings, landmarks,
// contrast (WCAG 2.2 AA, 1.4.3), overflow, and on a phone the size of what is
// pressed (2.5.5). Gives a list of complaints.
((phone) => {
  const found = [];
  const complain = (element, what) => found.push(`${what}: <${element.tagName.toLowerCase()} class="${element.className?.baseVal ?? element.className}"> ${(element.textContent || '').trim().slice(0, 40)}`);
  const style = (element) => getComputedStyle(element);
  const seen = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !element.closest('.sr, [inert]') && element.getClientRects().length > 0;

  // Names (4.1.2)
  const nameOf = (element) => {
    const by = (element.getAttribute('aria-labelledby') || '').split(' ').map((id) => document.getElementById(id)?.textContent || '').join(' ').trim();
    const spoken = (node) => [...node.childNodes].map((child) => (child.nodeType === 3 ? child.data : child.nodeType === 1 && child.getAttribute('aria-hidden') !== 'true' ? spoken(child) : '')).join('');
    const label = [...(element.labels || [])].map(spoken).join(' ').trim();
    return element.getAttribute('aria-label')?.trim() || by || label || (element.matches('a, button, summary') ? spoken(element).trim() : '');
  };
  const controls = [...document.querySelectorAll('a[href], button, input, select, textarea, video, summary, [role="meter"], [role="button"]')].filter(seen);
  for (const control of controls) if (!nameOf(control)) complain(control, 'no name');
  for (const control of document.querySelectorAll('[tabindex]')) if (control.tabIndex > 0) complain(control, 'a tabindex above 0');
  for (const svg of document.querySelectorAll('svg')) if (svg.getAttribute('aria-hidden') !== 'true' && !svg.getAttribute('aria-label')) complain(svg, 'a picture without name');

  // Structure (1.3.1, 2.4.1, 2.4.2, 3.1.1)
  if (!['en', 'ru'].includes(document.documentElement.lang)) found.push(`lang is "${document.documentElement.lang}"`);
  if (!document.title.trim()) found.push('no title');
  if (document.querySelectorAll('main').length !== 1) found.push('not one main');
  const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) found.push(`id ${id} twice`);
  for (const item of document.querySelectorAll('li')) if (!item.parentElement.matches('ul, ol')) complain(item, 'an item without list');
  for (const list of document.querySelectorAll('ul, ol')) for (const child of list.children) if (child.tagName !== 'LI') complain(child, 'in a list and no item');

  // Contrast of all text in sight
  const parse = (color) => { const n = color.match(/[\d.]+/g).map(Number); return { r: n[0], g: n[1], b: n[2], a: n[3] ?? 1 }; };
  const mix = (top, under) => ({ r: top.r * top.a + under.r * (1 - top.a), g: top.g * top.a + under.g * (1 - top.a), b: top.b * top.a + under.b * (1 - top.a), a: 1 });
  const light = ({ r, g, b }) => [r, g, b].map((v) => { const s = v / 255; return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4; }).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(parse(style(at).backgroundColor));
    return layers.reduceRight((under, top) => mix(top, under), { r: 255, g: 255, b: 255, a: 1 });
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || element.closest('script, noscript, option, :disabled') || !seen(element)) continue;
    const { color, fontSize, fontWeight } = style(element);
    let opacity = 1;
    for (let at = element; at; at = at.parentElement) opacity *= Number(style(at).opacity);
    const back = ground(element);
    const [a, b] = [light(mix({ ...parse(color), a: parse(color).a * opacity }, back)), light(back)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const large = parseFloat(fontSize) >= 24 || (parseFloat(fontSize) >= 18.66 && Number(fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) complain(element, `contrast ${ratio.toFixed(2)}`);
  }
  // The edges of fields (1.4.11)
  for (const field of controls.filter((control) => control.matches('input, select'))) {
    const [a, b] = [light(mix(parse(style(field).borderTopColor), ground(field.parentElement))), light(ground(field.parentElement))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 3) complain(field, `edge ${((a + 0.05) / (b + 0.05)).toFixed(2)}`);
  }

  // Room (1.4.10), and what a finger hits
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth) found.push(`${document.documentElement.scrollWidth} wide in ${document.documentElement.clientWidth}`);
  if (phone) {
    for (const control of controls.filter((one) => one.matches('button, select, input, summary, a.button, a.back, a.brand, video'))) {
      const { width, height } = control.getBoundingClientRect();
      if (width < 44 || height < 44) complain(control, `${width.toFixed()} × ${height.toFixed()}`);
    }
    for (const link of document.querySelectorAll('.lesson h3 a')) if (link.closest('.lesson').getBoundingClientRect().height < 44) complain(link, 'a low row');
  }
  return found;
})
