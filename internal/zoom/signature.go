package zoom

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Why a webhook is not taken.
var (
	ErrSignature = errors.New("the signature is missing or not ours")
	ErrStale     = errors.New("the signed timestamp is too far from now")
)

// Secrets are secret tokens of one Zoom app, the newest first. Each verifies.
type Secrets []string

// SplitSecrets reads comma separated secrets.
func SplitSecrets(text string) Secrets {
	var out Secrets
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// Verify checks a webhook's signature over the raw body, then the age of its
// timestamp, and returns the secret it was made with. The order matters: a
// timestamp says nothing until it is known to be Zoom's. Every secret is tried,
// in constant time.
//
// https://developers.zoom.us/docs/api/webhooks/#verify-with-zooms-header
func (s Secrets) Verify(signature, timestamp string, body []byte, now time.Time, tolerance time.Duration) (secret string, err error) {
	for _, candidate := range s {
		if hmac.Equal([]byte(Sign(candidate, timestamp, body)), []byte(signature)) {
			secret = candidate
		}
	}
	if secret == "" || timestamp == "" {
		return "", ErrSignature
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return "", ErrSignature
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > tolerance || age < -tolerance {
		return "", ErrStale
	}
	return secret, nil
}

// SignatureShaped reports whether a webhook's headers could verify, whatever its body: the
// signature is one of Sign's and the timestamp a number.
func SignatureShaped(signature, timestamp string) bool {
	digits, ok := strings.CutPrefix(signature, "v0=")
	if !ok || len(digits) != 2*sha256.Size || strings.Trim(digits, "0123456789abcdef") != "" {
		return false
	}
	_, err := strconv.ParseInt(timestamp, 10, 64)
	return err == nil
}

// Sign is the value of x-zm-signature for a body sent at timestamp (unix seconds,
// decimal): v0= and lower-case hex of HMAC-SHA256 over v0:timestamp:body.
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("v0:" + timestamp + ":"))
	mac.Write(body)
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}

// ValidPlainToken reports whether a URL validation's token may be answered. The
// shape is narrow on purpose: an answer is a signature, and a token that could be
// "v0:timestamp:body" would make the endpoint sign forgeries.
func ValidPlainToken(token string) bool {
	if len(token) < 1 || len(token) > 128 {
		return false
	}
	for _, c := range []byte(token) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// AnswerChallenge is the encryptedToken of a URL validation.
func AnswerChallenge(secret, plainToken string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(plainToken))
	return hex.EncodeToString(mac.Sum(nil))
}
