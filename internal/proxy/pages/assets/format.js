// Numbers, lengths and dates as people of the page's language write them.

import { lang } from './words.js';

// once makes a formatter when it is first used: each takes milliseconds, and a page uses few.
const once = (make) => { let made; return () => (made ??= make()); };
const plurals = once(() => new Intl.PluralRules(lang));
const number = once(() => new Intl.NumberFormat(lang, { maximumFractionDigits: 1 }));

// count picks the form of the number: forms are [one, few, many] or [one, other],
// in which # is the number.
export function count(n, forms) {
  const at = { one: 0, few: 1, many: 2 }[plurals().select(n)] ?? forms.length - 1;
  return (forms[at] ?? forms[forms.length - 1]).replace('#', number().format(n));
}

// clock is a place in a lesson: 4:05, 1:04:05.
export function clock(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(s / 3600), Math.floor(s / 60) % 60, s % 60];
  if (!parts[0]) parts.shift();
  return parts.map((part, i) => (i ? String(part).padStart(2, '0') : part)).join(':');
}

const unit = (n, name, display = 'short') => new Intl.NumberFormat(lang, { style: 'unit', unit: name, unitDisplay: display, maximumFractionDigits: 1 }).format(n);

export function minutes(n) {
  if (n < 60) return unit(n, 'minute');
  return [unit(Math.floor(n / 60), 'hour'), n % 60 ? unit(n % 60, 'minute') : ''].join(' ').trim();
}

export const percent = (share) => new Intl.NumberFormat(lang, { style: 'percent', maximumFractionDigits: 0 }).format(share);
export const megabytes = (mb) => (mb < 1024 ? unit(mb < 10 ? mb : Math.round(mb), 'megabyte') : unit(mb / 1024, 'gigabyte'));
export const size = (bytes) => (bytes && bytes < 2 ** 20 ? unit(Math.ceil(bytes / 1024), 'kilobyte') : megabytes(bytes / 2 ** 20));

const date = (options) => {
  const formatter = once(() => new Intl.DateTimeFormat(lang, options));
  return (iso) => formatter().format(new Date(iso));
};
export const dayNumber = date({ day: 'numeric' });
export const weekday = date({ weekday: 'short' });
export const fullDate = date({ day: 'numeric', month: 'long', year: 'numeric' });
export const timeOfDay = date({ hour: 'numeric', minute: '2-digit' });
const dayAndMonth = date({ day: 'numeric', month: 'long' });
export const dayMonth = date({ weekday: 'short', day: 'numeric', month: 'short' });
// moment is a time of today, else the day.
export const moment = (iso) => (new Date(iso).toDateString() === new Date().toDateString() ? timeOfDay : dayAndMonth)(iso);
const monthAndYear = date({ month: 'long', year: 'numeric' });

// month is a heading: Russian writes it small and adds "г.", which a heading does not want.
export function month(iso) {
  const text = monthAndYear(iso).replace(/\s*г\.$/, '');
  return text[0].toUpperCase() + text.slice(1);
}
