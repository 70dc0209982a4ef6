// Requests to the gateway: one header for the token, one kind of error.

import { BASE, SESSION } from './addresses.js';
import { ended, session } from './session.js';

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

// refusal is the Refused of a response that is not ok.
export async function refusal(response) {
  const body = await response.json().catch(() => ({}));
  const refused = new Refused(response.status, body.code || CODES[response.status] || 'unknown',
    Number(response.headers.get('Retry-After')) || 0, body.detail || body.error || '');
  return Object.assign(refused, { signIn: body.sign_in });
}

// request is fetch with a token, the session's unless another or '' is given, or takes the
// response to a request that was sent already. It throws Refused for every response that is not
// ok.
export async function request(path, { sent, token = session.token, headers = {}, ...options } = {}) {
  if (token) headers.Authorization = `Bearer ${token}`;
  else if (session.embedded) headers['Lectern-Player'] = 'embed';
  let response;
  try {
    response = await (sent ?? fetch(path, { headers, credentials: 'same-origin', ...options }));
  } catch (problem) {
    if (problem.name === 'AbortError') throw problem;
    throw new Refused(0, 'offline');
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

// ask sends a request to the API and returns the response's JSON, with the gateway's clock as
// serverTime.
export const ask = (method, path, { body, ...options } = {}) => send(method, path, { body: body && JSON.stringify(body), type: 'application/json', ...options });

// put replaces what is at a path by a text of a media type.
export const put = (path, body, type) => send('PUT', path, { body, type });

async function send(method, path, { body, type, signal, keepalive, sent } = {}) {
  const headers = { Accept: 'application/json' };
  if (body) headers['Content-Type'] = type;
  const response = await request(path.startsWith('/') ? path : `${BASE}/${path}`, { method, headers, body, signal, keepalive, sent, cache: 'no-store' })
    .catch(async (problem) => {
      if (problem.status === 401 && !session.token) await ended(problem, path === SESSION);
      throw problem;
    });
  const answer = response.status === 204 ? {} : await response.json().catch(() => { throw new Refused(response.status, 'unknown'); });
  answer.serverTime = Date.parse(response.headers.get('Date')) || Date.now();
  return answer;
}

// fetchFile fetches a file as it is, which the browser may cache.
export async function fetchFile(path, { signal } = {}) {
  const response = await request(path, { signal, priority: 'low' });
  return response.blob();
}
