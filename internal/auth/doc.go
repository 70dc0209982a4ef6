// Package auth decides who is asking and whether they may watch.
//
// It has four parts, each usable by itself:
//
//   - Verifier checks tokens: the platform's access tokens as
//     djangorestframework-simplejwt makes them (HS256 with a shared key, or
//     RS256, ES256 and EdDSA with the keys of a JWKS), and Lectern's own playback
//     tokens, each of which opens one recording.
//   - Minter signs both kinds.
//   - Decide is the access rule, a pure function.
//   - Gate joins them with the catalog: it turns a token into a viewer and tells
//     what the viewer may do.
//
// The way of a token: it is split and its header is read strictly; the key is
// chosen by the configuration, with the header only picking among keys that are
// trusted already; the signature is checked; and only then are the claims looked
// at. A signature that held once is remembered by the token's SHA-256, so that
// the ranges of a player cost a digest and a look-up.
//
// No token and no key is ever part of an error, a log line or a metric.
package auth
