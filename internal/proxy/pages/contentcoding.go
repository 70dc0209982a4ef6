package pages

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"strconv"
	"strings"

	"github.com/andybalholm/brotli"
)

// representation is a body in one content coding (RFC 9110 section 8.4.1). Its entity tag is
// its own, as section 8.8.3.3 demands: the same tag for two codings would be a lie about bytes.
type representation struct {
	coding string // "" is identity
	body   []byte
	etag   string // strong, with its quotes
}

// brotliLevel costs 3 ms for a page's script. The best level costs 100 ms, at each start, for
// 1 KB less.
const brotliLevel = 5

// newRepresentations compresses a body once. The smallest comes first, identity last; a coding
// that saves nothing is left out.
func newRepresentations(contentType string, body []byte) []representation {
	sum := sha256.Sum256(body)
	tag := base64.RawURLEncoding.EncodeToString(sum[:15])
	out := []representation{{body: body, etag: `"` + tag + `"`}}
	if !compressible(contentType) {
		return out
	}
	for _, c := range []struct {
		coding   string
		compress func(io.Writer) io.WriteCloser
	}{
		{"gzip", func(w io.Writer) io.WriteCloser { z, _ := gzip.NewWriterLevel(w, gzip.BestCompression); return z }},
		{"br", func(w io.Writer) io.WriteCloser { return brotli.NewWriterLevel(w, brotliLevel) }},
	} {
		smaller := compressed(body, c.compress)
		if len(smaller) < len(out[0].body) {
			out = append([]representation{{c.coding, smaller, `"` + tag + "-" + c.coding + `"`}}, out...)
		}
	}
	return out
}

// compressed is the body as a compressor writes it. Writing into memory does not fail.
func compressed(body []byte, compress func(io.Writer) io.WriteCloser) []byte {
	var out bytes.Buffer
	w := compress(&out)
	_, _ = w.Write(body)
	_ = w.Close()
	return out.Bytes()
}

// compressible reports whether a content type is text.
func compressible(contentType string) bool {
	return strings.HasPrefix(contentType, "text/") || strings.HasPrefix(contentType, "image/svg+xml")
}

// chooseRepresentation returns the representation that an Accept-Encoding wants most (RFC 9110
// section 12.5.3), the smaller of two that it wants equally. A client that names no coding, or
// accepts none, receives identity: it shows more than a 406 would.
func chooseRepresentation(all []representation, accept string) representation {
	wanted := parseAcceptEncoding(accept)
	best, weight := all[len(all)-1], 0.0
	for _, one := range all {
		if w := wanted.weight(one.coding); w > weight {
			best, weight = one, w
		}
	}
	return best
}

// acceptEncoding maps codings in lower case to weights between 0 and 1; "*" stands for those
// that are not listed.
type acceptEncoding map[string]float64

// unlistedIdentity is the weight of identity where a client does not list it: acceptable, and
// less wanted than any coding that is.
const unlistedIdentity = 0.0001

func (a acceptEncoding) weight(coding string) float64 {
	if coding == "" {
		coding = "identity"
	}
	if w, listed := a[coding]; listed {
		return w
	}
	if w, listed := a["*"]; listed {
		return w
	}
	if coding == "identity" {
		return unlistedIdentity
	}
	return 0
}

// parseAcceptEncoding parses the header. An element with a malformed weight counts as not
// listed.
func parseAcceptEncoding(header string) acceptEncoding {
	out := acceptEncoding{}
	for element := range strings.SplitSeq(header, ",") {
		coding, parameter, weighted := strings.Cut(element, ";")
		coding = strings.ToLower(strings.TrimSpace(coding))
		if coding == "x-gzip" { // RFC 9110 section 8.4.1.3
			coding = "gzip"
		}
		weight := 1.0
		if weighted {
			name, value, _ := strings.Cut(parameter, "=")
			w, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if !strings.EqualFold(strings.TrimSpace(name), "q") || err != nil || !(w >= 0 && w <= 1) {
				continue
			}
			weight = w
		}
		if coding != "" {
			out[coding] = weight
		}
	}
	return out
}
