// A provider of OpenID Connect by oidc-provider, with everything in memory. Its arguments are the
// package's entry, the client's secret and its redirect URI. It prints its issuer.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

const [entry, secret, redirectURI] = process.argv.slice(2);
const { default: Provider } = await import(entry);

const people = {
  anna: { email: 'Anna@School.example', email_verified: true },
  boris: { email: 'boris@school.example', email_verified: false },
  nora: { email: 'nora@elsewhere.example', email_verified: true },
};

const server = createServer();
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const provider = new Provider(issuer, {
  clients: [{ client_id: 'lectern', client_secret: secret, redirect_uris: [redirectURI], response_types: ['code'], grant_types: ['authorization_code'] }],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] }, // at UserInfo only, as OpenID Connect Core 1.0 section 5.4 has it
  pkce: { methods: ['S256'], required: () => true },
  findAccount: (_, id) => people[id] && { accountId: id, claims: () => ({ sub: id, name: id, ...people[id] }) },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, { uid }) => `/interaction/${uid}` },
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', kid: 'a', alg: 'RS256' }] },
  cookies: { keys: [randomBytes(16).toString('hex')] },
});

// interact answers the pages for people: the account is in the address, and whoever signs in
// agrees to everything.
async function interact(request, response) {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  const account = new URL(request.url, issuer).searchParams.get('account');
  if (prompt.name === 'consent') {
    const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
  }
  if (account) return provider.interactionFinished(request, response, { login: { accountId: account } });
  response.setHeader('Content-Type', 'text/plain');
  response.end('who are you?');
}

const answer = provider.callback();
server.on('request', (request, response) => {
  if (!request.url.startsWith('/interaction/')) return answer(request, response);
  interact(request, response).catch((error) => {
    response.statusCode = 500;
    response.end(String(error));
  });
});
console.log(issuer);
