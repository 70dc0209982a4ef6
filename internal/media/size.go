package media

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes as people write it in a setting: plain bytes, or
// with a unit: "64MiB" (binary: KiB MiB GiB TiB), "10GB" (decimal: kB MB GB TB).
type Size int64

var sizeUnits = []struct {
	suffix string
	factor float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12}, {"b", 1},
}

// UnmarshalText reads a size; it refuses negative ones and units it does not know.
func (s *Size) UnmarshalText(text []byte) error {
	in := strings.ToLower(strings.TrimSpace(string(text)))
	if n, err := strconv.ParseInt(in, 10, 64); err == nil && n >= 0 {
		*s = Size(n)
		return nil
	}
	for _, u := range sizeUnits {
		num, ok := strings.CutSuffix(in, u.suffix)
		if !ok {
			continue
		}
		f, err := strconv.ParseFloat(strings.TrimSpace(num), 64)
		if err != nil || f < 0 || math.IsNaN(f) || f*u.factor >= math.MaxInt64 {
			break
		}
		*s = Size(f * u.factor)
		return nil
	}
	return fmt.Errorf("%q is not a size: give bytes or a unit, as 64MiB or 10GB", string(text))
}

// String writes the size in the largest binary unit that divides it.
func (s Size) String() string {
	for i := 3; i >= 0; i-- {
		f := int64(sizeUnits[i].factor)
		if s != 0 && int64(s)%f == 0 {
			return strconv.FormatInt(int64(s)/f, 10) + [...]string{"KiB", "MiB", "GiB", "TiB"}[i]
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalText is String, for printed configurations.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
