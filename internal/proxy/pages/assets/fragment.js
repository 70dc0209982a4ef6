// The fragment of the address, as name=value pairs: what a link brings to the page alone.

export const fragment = () => new URLSearchParams(location.hash.slice(1));

// takeFromFragment removes names from the address, so that a reload does not find them, and
// gives their values, '' for a name that is not there.
export function takeFromFragment(...names) {
  const pairs = fragment();
  const values = names.map((name) => pairs.get(name) ?? '');
  for (const name of names) pairs.delete(name);
  const rest = String(pairs);
  if (values.some(Boolean)) history.replaceState(history.state, '', location.pathname + location.search + (rest && `#${rest}`));
  return values;
}
