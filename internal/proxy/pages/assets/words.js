// The words of the page, in the language that the gateway chose by Accept-Language:
// page.en.js and page.ru.js have one of the two languages each.

export let lang;
export let t;

// speak sets the language. A page's module calls it before any other module uses a word.
export function speak(language, words) {
  lang = language;
  t = words;
}

// sentence is what happened and what to do about it, for any code.
export const sentence = (code) => t.codes[code] || t.codes.unknown;
export const reason = (code) => t.reasons[code] || t.reasons.unknown;
