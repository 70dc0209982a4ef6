// Zoom's documents about a lesson, read as leniently as they vary; what is not found is left out.

const LINE = /^(?:(\d{1,2}):)?(\d{1,2}):(\d\d)(?:\.\d+)?\s+(?:From\s+)?(?:([^\t]+?)\s*:(?:\s+|$))?(.*)$/;

// parseChat reads a chat, in which a message begins on each line with a time:
// [{start, who, text}]. Further lines belong to the message before.
export function parseChat(source) {
  const messages = [];
  for (const line of source.split(/\r?\n/)) {
    const [, hours = 0, minutes, seconds, who = '', text] = LINE.exec(line) ?? [];
    if (minutes) messages.push({ start: hours * 3600 + minutes * 60 + Number(seconds), who, text });
    else if (messages.length && line.trim()) messages.at(-1).text += `\n${line.trim()}`;
  }
  return messages;
}

// parseSummary reads a summary: paragraphs [{heading, text}], and next steps as texts.
export function parseSummary(source) {
  let document = JSON.parse(source);
  for (const name of ['summary', 'meeting_summary', 'data']) if (document[name] && typeof document[name] === 'object') document = document[name];
  const text = (from, ...names) => (typeof from === 'string' ? from : names.map((name) => from?.[name]).find((value) => typeof value === 'string') ?? '').trim();
  const list = (...names) => names.map((name) => document[name]).find(Array.isArray) ?? [];
  return {
    paragraphs: [
      { heading: '', text: text(document, 'overall_summary', 'summary_overview', 'overview', 'summary', 'text') },
      ...list('items', 'summary_details', 'sections').map((item) => ({ heading: text(item, 'label', 'title', 'heading'), text: text(item, 'summary', 'text', 'content') })),
    ].filter((paragraph) => paragraph.heading || paragraph.text),
    steps: list('next_steps', 'action_items').map((item) => text(item, 'text', 'title', 'summary', 'content')).filter(Boolean),
  };
}
