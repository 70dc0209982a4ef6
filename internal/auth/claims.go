package auth

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// Claims are what a verified token says. Roles in tokens are not read: a role may have
// changed in the database since.
type Claims struct {
	User     int64
	Playback int64 // the recording a playback token opens, else 0
	Session  bool  // a session's token, which counts in its cookie only
	Embed    bool  // an embedded player's token, which counts in its cookie only
	Expires  time.Time
	// issued is iat, zero when the token has none.
	issued time.Time
	// keys is the generation of the JWKS that verified the token, 0 for a secret.
	keys uint64
	// secrets is the generation of the secrets with which it was verified.
	secrets uint64
}

// claimChecks are the configured rules for claims.
type claimChecks struct {
	issuer, audience string // "" = not checked
	leeway           time.Duration
}

// access reads the claims of an access token in the order in which PyJWT and simplejwt
// check them, so that the first failed check is the same as theirs: times, issuer and
// audience, jti, token_type, user_id.
func (c claimChecks) access(payload []byte, now time.Time) (Claims, *media.Refusal) {
	fields, ok := jsonObject(payload)
	if !ok {
		return Claims{}, invalid()
	}
	issued, expires, refusal := c.times(fields, now)
	if refusal != nil {
		return Claims{}, refusal
	}
	if issuer, _ := jsonString(fields["iss"]); c.issuer != "" && issuer != c.issuer {
		return Claims{}, invalid()
	}
	audience, ok := audiences(fields["aud"])
	switch {
	case c.audience != "" && (!ok || !slices.Contains(audience, c.audience)):
		return Claims{}, invalid()
	case slices.ContainsFunc(audience, func(name string) bool { return strings.HasPrefix(name, ownAudience) }):
		return Claims{}, invalid()
	}
	if jti, ok := jsonString(fields["jti"]); !ok || jti == "" {
		return Claims{}, invalid()
	}
	if kind, ok := jsonString(fields["token_type"]); !ok || kind != "access" {
		return Claims{}, wrongType()
	}
	id, found := fields["user_id"]
	if !found {
		return Claims{}, anonymous()
	}
	user, ok := userID(id)
	if !ok {
		return Claims{}, invalid()
	}
	return Claims{User: user, Expires: expires, issued: issued}, nil
}

// playback reads the claims of a playback token.
func (c claimChecks) playback(payload []byte, now time.Time) (Claims, *media.Refusal) {
	claims, fields, refusal := c.own(payload, playbackAudience, now)
	if refusal != nil {
		return Claims{}, refusal
	}
	recording, ok := parseID(string(fields["rid"]))
	if !ok {
		return Claims{}, invalid()
	}
	claims.Playback = recording
	return claims, nil
}

// session reads the claims of a session's token.
func (c claimChecks) session(payload []byte, now time.Time) (Claims, *media.Refusal) {
	claims, _, refusal := c.own(payload, sessionAudience, now)
	claims.Session = refusal == nil
	return claims, refusal
}

// embed reads the claims of an embedded player's token.
func (c claimChecks) embed(payload []byte, now time.Time) (Claims, *media.Refusal) {
	claims, _, refusal := c.own(payload, embedAudience, now)
	claims.Embed = refusal == nil
	return claims, refusal
}

// own reads the claims that every kind of Lectern's own tokens has.
func (c claimChecks) own(payload []byte, kind string, now time.Time) (Claims, map[string]json.RawMessage, *media.Refusal) {
	fields, ok := jsonObject(payload)
	if !ok {
		return Claims{}, nil, invalid()
	}
	issued, expires, refusal := c.times(fields, now)
	if refusal != nil {
		return Claims{}, nil, refusal
	}
	if audience, ok := audiences(fields["aud"]); !ok || !slices.Contains(audience, kind) {
		return Claims{}, nil, invalid()
	}
	if jti, ok := jsonString(fields["jti"]); !ok || jti == "" {
		return Claims{}, nil, invalid()
	}
	if _, found := fields["token_type"]; found {
		return Claims{}, nil, invalid()
	}
	subject, _ := jsonString(fields["sub"])
	user, ok := parseID(subject)
	if !ok {
		return Claims{}, nil, invalid()
	}
	return Claims{User: user, Expires: expires, issued: issued}, fields, nil
}

// maxIssuedAhead is how far in the future iat may be whatever the leeway. iat limits
// nothing (by RFC 7519 section 4.1.6 it only shows a token's age), and clocks that differ
// by seconds must not lock everybody out.
const maxIssuedAhead = time.Minute

// times checks iat and nbf, which may be missing, and exp, which must not.
func (c claimChecks) times(fields map[string]json.RawMessage, now time.Time) (issued, expires time.Time, refusal *media.Refusal) {
	issued, ok := notAfter(fields, "iat", now.Add(max(c.leeway, maxIssuedAhead)))
	if !ok {
		return time.Time{}, time.Time{}, invalid()
	}
	if _, ok := notAfter(fields, "nbf", now.Add(c.leeway)); !ok {
		return time.Time{}, time.Time{}, invalid()
	}
	expires, ok = numericDate(fields["exp"])
	switch {
	case !ok:
		return time.Time{}, time.Time{}, invalid()
	case c.hasExpired(expires, now):
		return time.Time{}, time.Time{}, expired()
	}
	return issued, expires, nil
}

// notAfter reads a time claim, which is missing, or a date not after latest.
func notAfter(fields map[string]json.RawMessage, name string, latest time.Time) (at time.Time, ok bool) {
	raw, found := fields[name]
	if !found {
		return time.Time{}, true
	}
	at, ok = numericDate(raw)
	return at, ok && !at.After(latest)
}

// hasExpired reports whether exp <= now - leeway, as in simplejwt.
func (c claimChecks) hasExpired(expires, now time.Time) bool {
	return !now.Before(expires.Add(c.leeway))
}

// lastDate is the end of the year 9999, after which the platform's language has no dates.
const lastDate = 253402300799

// numericDate reads a NumericDate (RFC 7519 section 2). Fractions of a second
// are cut off, as PyJWT does.
func numericDate(raw json.RawMessage) (time.Time, bool) {
	seconds, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		// The JSON is valid, so a number begins with one of these.
		if len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
			return time.Time{}, false
		}
		f, err := strconv.ParseFloat(string(raw), 64)
		if err != nil || math.Abs(f) > lastDate {
			return time.Time{}, false
		}
		seconds = int64(f)
	}
	if seconds > lastDate || seconds < -lastDate {
		return time.Time{}, false
	}
	return time.Unix(seconds, 0), true
}

// audiences reads aud: one string or a list of strings (RFC 7519 section 4.1.3).
func audiences(raw json.RawMessage) ([]string, bool) {
	if one, ok := jsonString(raw); ok {
		return []string{one}, true
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil, false
	}
	names := make([]string, 0, len(list))
	for _, item := range list {
		name, ok := jsonString(item)
		if !ok {
			return nil, false
		}
		names = append(names, name)
	}
	return names, true
}

// userID reads the user's id, which simplejwt wrote as a number up to 5.5.0 and
// as a string since.
func userID(raw json.RawMessage) (int64, bool) {
	if s, ok := jsonString(raw); ok {
		return parseID(s)
	}
	return parseID(string(raw))
}

// parseID reads an id in its one canonical spelling: "07", "+7", "7.0" and "1e3" are not
// ids, so that no two spellings name one user.
func parseID(s string) (int64, bool) {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id <= 0 || s[0] == '0' || s[0] == '+' {
		return 0, false
	}
	return id, true
}

// The refusals of tokens, in simplejwt's words.

func invalid() *media.Refusal { return media.RefuseToken("Token is invalid") }

// forged refuses a token that no trusted key has signed. It counts for the auth-failure
// limiter.
func forged() *media.Refusal {
	r := invalid()
	r.Forged = true
	return r
}

func expired() *media.Refusal   { return media.RefuseToken("Token is expired") }
func wrongType() *media.Refusal { return media.RefuseToken("Token has wrong type") }

// anonymous refuses a valid token without a user. simplejwt finds out after it has checked
// the token itself, and gives no messages then.
func anonymous() *media.Refusal {
	return media.Refuse(media.CodeTokenNotValid, "Token contained no recognizable user identification")
}
