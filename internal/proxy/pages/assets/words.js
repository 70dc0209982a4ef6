// The page's language is the document's: the gateway chose it by Accept-Language.

export const lang = document.documentElement.lang === 'ru' ? 'ru' : 'en';
export const { default: t } = await (lang === 'ru' ? import('./words.ru.js') : import('./words.en.js'));

// sentence is what happened and what to do about it, for any code.
export const sentence = (code) => t.codes[code] || t.codes.unknown;
export const reason = (code) => t.reasons[code] || t.reasons.unknown;
