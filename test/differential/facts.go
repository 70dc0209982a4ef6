package differential

import (
	"math/big"
	"strings"
	"time"
)

// facts are what the classes look at in a request: its Range, as RFC 9110 section 14.1.1 has
// it, and its conditions.
type facts struct {
	Request
	size int64
	// value is the Range, "" for none; two: it has two lines.
	value string
	two   bool
	// unit is the range unit. set: the value has the form unit=set.
	unit string
	set  bool
	// valid: each element is a range-spec, and none is reversed.
	valid bool
	// spaces: there is whitespace within an element, or around the equals sign.
	spaces bool
	// empty: the list has empty elements.
	empty bool
	// reversed: an element's first exceeds its last. huge: a number is larger than 63 bits.
	reversed, huge bool
	// suffixZero: an element is -0.
	suffixZero bool
	specs      int
	spans      []span // the satisfiable elements, clamped

	modified time.Time
	// twice: a condition has two lines. oddTags: a list of entity tags has an element that is
	// none. oddDate: a date is none.
	twice, oddTags, oddDate bool
}

type span struct{ first, last int64 }

func factsOf(r Request, file File) facts {
	f := facts{Request: r, size: int64(len(file.Content)), modified: file.Modified}
	f.readConditions()
	values := r.values("Range")
	if len(values) == 0 {
		return f
	}
	f.value, f.two = strings.Join(values, ", "), len(values) > 1
	unit, set, ok := strings.Cut(f.value, "=")
	f.unit, f.set = unit, ok
	f.spaces = strings.TrimSpace(unit) != unit || strings.TrimLeft(set, " \t") != set
	f.valid = ok
	for element := range strings.SplitSeq(set, ",") {
		trimmed := strings.Trim(element, " \t")
		if trimmed == "" {
			f.empty = true
			continue
		}
		f.specs++
		f.element(trimmed)
	}
	f.valid = f.valid && f.specs > 0
	return f
}

// element reads one range-spec.
func (f *facts) element(text string) {
	f.spaces = f.spaces || strings.ContainsAny(text, " \t")
	from, to, ok := strings.Cut(text, "-")
	from, to = strings.Trim(from, " \t"), strings.Trim(to, " \t")
	first, firstOK := f.number(from)
	last, lastOK := f.number(to)
	size := big.NewInt(f.size)
	switch {
	case !ok, !firstOK, !lastOK, from == "" && to == "":
		f.valid = false
	case from == "":
		if last.Sign() == 0 {
			f.suffixZero = true
			return
		}
		if last.Cmp(size) > 0 {
			last = size
		}
		f.spans = append(f.spans, span{f.size - last.Int64(), f.size - 1})
	case to != "" && first.Cmp(last) > 0:
		f.reversed = true
		f.valid = false
	case first.Cmp(size) >= 0:
	case to == "" || last.Cmp(size) >= 0:
		f.spans = append(f.spans, span{first.Int64(), f.size - 1})
	default:
		f.spans = append(f.spans, span{first.Int64(), last.Int64()})
	}
}

// number reads digits, which may be missing.
func (f *facts) number(text string) (*big.Int, bool) {
	if text == "" {
		return new(big.Int), true
	}
	if strings.Trim(text, "0123456789") != "" {
		return nil, false
	}
	n, ok := new(big.Int).SetString(text, 10)
	if ok && n.BitLen() > 63 {
		f.huge = true
	}
	return n, ok
}

// sum is how many bytes the spans have together.
func (f *facts) sum() (n int64) {
	for _, s := range f.spans {
		n += s.last - s.first + 1
	}
	return n
}

// overlap reports whether two spans share a byte.
func (f *facts) overlap() bool {
	for i, a := range f.spans {
		for _, b := range f.spans[:i] {
			if a.first <= b.last && b.first <= a.last {
				return true
			}
		}
	}
	return false
}
