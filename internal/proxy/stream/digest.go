package stream

import (
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/valyala/fasthttp"
)

// digestFields are the two fields that state the SHA-256 of a whole representation. It is
// the same in 200, in each 206 and for HEAD, so that a program that puts parts together
// can check the whole.
type digestFields struct {
	// repr is Repr-Digest (RFC 9530 section 3), a dictionary of byte sequences (RFC 9651
	// section 3.3.5).
	repr string
	// digest is Digest (RFC 3230), which RFC 9530 obsoletes. aria2 asks for it, and reads
	// no other.
	digest string
}

// digestFieldsOf writes the fields of a digest in hex; none of anything else.
func digestFieldsOf(sha256Hex string) digestFields {
	sum, err := hex.DecodeString(sha256Hex)
	if err != nil || len(sum) == 0 {
		return digestFields{}
	}
	text := base64.StdEncoding.EncodeToString(sum)
	return digestFields{repr: "sha-256=:" + text + ":", digest: "SHA-256=" + text}
}

// digestHeaders states the digest where it is known. Repr-Digest is left out only for
// those who say that they do not want it, Digest is sent only to those who ask.
func (x *exchange) digestHeaders(h *fasthttp.ResponseHeader) {
	fields := x.metadata.digests
	if fields.repr == "" {
		return
	}
	if preference(x.params.wantReprDigest, "=", "sha-256") != unwanted {
		h.Set("Repr-Digest", fields.repr)
	}
	if preference(x.params.wantDigest, ";q=", "sha-256") == wanted {
		h.Set("Digest", fields.digest)
	}
}

// wish is what a request says of an algorithm.
type wish int

const (
	unmentioned wish = iota
	wanted
	unwanted
)

// preference reads what a list of algorithms with weights says of one: Want-Repr-Digest
// has "sha-256=10", Want-Digest has "SHA-256;q=1", and 0 is "not acceptable" in both. The
// last mention counts, as in a dictionary (RFC 9651 section 3.2).
func preference(list, separator, algorithm string) wish {
	found := unmentioned
	for member := range strings.SplitSeq(list, ",") {
		name, weight, _ := strings.Cut(strings.ReplaceAll(member, " ", ""), separator)
		if !strings.EqualFold(strings.TrimSpace(name), algorithm) {
			continue
		}
		found = wanted
		if weight != "" && strings.Trim(weight, "0.") == "" {
			found = unwanted
		}
	}
	return found
}
