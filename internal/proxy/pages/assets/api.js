// The way to the gateway's API: one function, one kind of error.

import { ended, session } from './session.js';

export const BASE = '/api';

// Refused is every answer that is not what was asked for. Its code is the
// gateway's, or 'offline' when there was no answer at all.
export class Refused extends Error {
  constructor(status, code, retryAfter = 0, detail = '') {
    super(code);
    Object.assign(this, { status, code, retryAfter, detail });
  }
}

// The platform's own errors have no code; the status stands in for it.
const CODES = { 400: 'bad_request', 401: 'not_authenticated', 403: 'no_access', 404: 'not_found', 410: 'expired', 429: 'throttled', 503: 'overloaded' };

export async function refusal(response) {
  const body = await response.json().catch(() => ({}));
  const refused = new Refused(response.status, body.code || CODES[response.status] || 'unknown',
    Number(response.headers.get('Retry-After')) || 0, body.detail || body.error || '');
  return Object.assign(refused, { signIn: body.sign_in });
}

// ask sends a request with the token and returns the answer's JSON, with the
// server's idea of the time for those who reckon with it.
export const ask = (method, path, { body, ...options } = {}) => send(method, path, { body: body && JSON.stringify(body), type: 'application/json', ...options });

// put replaces what is at a path by a text of a media type.
export const put = (path, body, type) => send('PUT', path, { body, type });

async function send(method, path, { body, type, signal, keepalive } = {}) {
  const headers = { Accept: 'application/json' };
  if (session.token) headers.Authorization = `Bearer ${session.token}`;
  if (body) headers['Content-Type'] = type;
  let response;
  try {
    response = await fetch(path.startsWith('/') ? path : `${BASE}/${path}`,
      { method, headers, body, signal, keepalive, cache: 'no-store', credentials: 'same-origin' });
  } catch (problem) {
    if (problem.name === 'AbortError') throw problem;
    throw new Refused(0, 'offline');
  }
  if (response.status === 401 && !session.token) ended();
  if (!response.ok) throw await refusal(response);
  const answer = response.status === 204 ? {} : await response.json().catch(() => { throw new Refused(response.status, 'unknown'); });
  answer.serverTime = Date.parse(response.headers.get('Date')) || Date.now();
  return answer;
}

// fetchFile fetches a file as it is, which may be kept between two looks.
export async function fetchFile(path, { signal } = {}) {
  const headers = session.token ? { Authorization: `Bearer ${session.token}` } : {};
  const response = await fetch(path, { headers, signal, credentials: 'same-origin', priority: 'low' });
  if (!response.ok) throw await refusal(response);
  return response.blob();
}
