// Package auth authenticates viewers and decides what they may watch.
//
// It has five parts, each usable by itself:
//
//   - Verifier checks tokens: the platform's access tokens as
//     djangorestframework-simplejwt makes them (HS256 with a shared key, or
//     RS256, ES256 and EdDSA, also named Ed25519, with the keys of a JWKS), and Lectern's own playback
//     tokens, each of which opens one recording.
//   - Minter signs both kinds.
//   - Decide is the access rule, a pure function.
//   - Authorizer combines them with the catalog: it turns a token into a viewer and
//     says what the viewer may watch.
//   - PlaybackLimiter limits how many playbacks a user may start in an hour.
//
// A token is split and its header is read strictly. The key is chosen by the
// configuration; the header only picks among keys that are trusted already. Claims are
// read after the signature has been checked. A verified token is cached by its SHA-256, so
// that the range requests of a player cost a digest and a look-up each.
//
// No token and no key is ever part of an error, a log line or a metric.
package auth
