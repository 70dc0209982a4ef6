package archive

import "testing"

// TestClaim: metadata alone proves nothing, and neither does a checksum of another kind.
func TestClaim(t *testing.T) {
	claim := Claim{MD5: "m", Checksums: map[string]string{"crc64nvme": "c", "etag": "e"}}
	for name, c := range map[string]struct {
		claim    Claim
		computed map[string]string
		want     string
	}{
		"the service says nothing":              {claim, nil, ""},
		"the service says the same":             {claim, map[string]string{"crc64nvme": "c"}, "m"},
		"all that it says is the same":          {claim, map[string]string{"crc64nvme": "c", "etag": "e"}, "m"},
		"one of two differs":                    {claim, map[string]string{"crc64nvme": "c", "etag": "x"}, ""},
		"the other of two differs":              {claim, map[string]string{"crc64nvme": "x", "etag": "e"}, ""},
		"a kind that was not recorded":          {claim, map[string]string{"sha256": "s"}, ""},
		"a kind that was not recorded, and one": {claim, map[string]string{"sha256": "s", "etag": "e"}, "m"},
		"an empty checksum":                     {Claim{MD5: "m", Checksums: map[string]string{"etag": ""}}, map[string]string{"etag": ""}, ""},
		"no claim":                              {Claim{}, map[string]string{"crc64nvme": "c"}, ""},
	} {
		if got := c.claim.Proven(c.computed); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
