package differential

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// File is what all servers serve.
type File struct {
	Content  []byte
	Modified time.Time
}

// Request is one random request. "{etag}" in a value is the server's own entity tag.
type Request struct {
	Method string
	Fields []Field
}

// Field is one line of the header section.
type Field struct{ Name, Value string }

// values are those of all lines of a field.
func (r Request) values(name string) (values []string) {
	for _, f := range r.Fields {
		if f.Name == name {
			values = append(values, f.Value)
		}
	}
	return values
}

// has reports whether the request has a field.
func (r Request) has(name string) bool { return len(r.values(name)) > 0 }

// String is the request in one line.
func (r Request) String() string {
	var b strings.Builder
	b.WriteString(r.Method)
	for _, f := range r.Fields {
		fmt.Fprintf(&b, " | %s: %s", f.Name, f.Value)
	}
	return b.String()
}

// Generator makes requests from a seed. It is not safe for concurrent use.
type Generator struct {
	rand *rand.Rand
	file File
}

// NewGenerator returns a generator whose requests follow from the seed.
func NewGenerator(seed uint64, file File) *Generator {
	return &Generator{rand.New(rand.NewPCG(seed, 0x9110)), file}
}

// Next returns the next request.
func (g *Generator) Next() Request {
	r := Request{Method: "GET"}
	if g.chance(10) {
		r.Method = "HEAD"
	}
	add := func(percent int, name string, value func() string) {
		if g.chance(percent) {
			r.Fields = append(r.Fields, Field{name, value()})
			if g.chance(1) {
				r.Fields = append(r.Fields, Field{name, value()})
			}
		}
	}
	add(80, "Range", g.ranges)
	conditions := 8
	if g.chance(30) {
		conditions = 30 // several at once, whose order counts
	}
	add(conditions, "If-Match", g.tags)
	add(conditions, "If-None-Match", g.tags)
	add(conditions, "If-Modified-Since", g.date)
	add(conditions, "If-Unmodified-Since", g.date)
	add(2*conditions, "If-Range", func() string {
		if g.chance(40) {
			return g.date()
		}
		return g.tag()
	})
	g.rand.Shuffle(len(r.Fields), func(i, j int) { r.Fields[i], r.Fields[j] = r.Fields[j], r.Fields[i] })
	return r
}

func (g *Generator) chance(percent int) bool { return g.rand.IntN(100) < percent }

func (g *Generator) pick(options ...string) string { return options[g.rand.IntN(len(options))] }

// number is a number around the borders of the file and of integers, or within the file.
func (g *Generator) number() string {
	size := len(g.file.Content)
	switch g.rand.IntN(12) {
	case 0:
		return fmt.Sprint(size - 2 + g.rand.IntN(5))
	case 1:
		return fmt.Sprint(g.rand.IntN(3))
	case 2:
		return strings.Repeat("0", 1+g.rand.IntN(30)) + fmt.Sprint(g.rand.IntN(2*size))
	case 3:
		if g.chance(30) {
			return g.pick("2147483647", "2147483648", "4294967295", "4294967296", "9223372036854775806", "9223372036854775807", "9223372036854775808",
				"18446744073709551615", "18446744073709551616", "18446744073709551617", "99999999999999999999999999")
		}
	}
	return fmt.Sprint(g.rand.IntN(size + size/10))
}

// spec is a range-spec, which may have no bytes or be reversed.
func (g *Generator) spec() string {
	switch g.rand.IntN(4) {
	case 0:
		return g.number() + "-"
	case 1:
		return "-" + g.number()
	}
	first, last := g.number(), g.number()
	if (len(first) > len(last) || len(first) == len(last) && first > last) && !g.chance(5) {
		first, last = last, first
	}
	return first + "-" + last
}

// ranges is the value of a Range: mostly valid, else with some bytes changed.
func (g *Generator) ranges() string {
	n := 1
	switch {
	case g.chance(2):
		n = 10 + g.rand.IntN(30)
	case g.chance(30):
		n = 2 + g.rand.IntN(5)
	}
	unit := "bytes"
	if g.chance(3) {
		unit = g.pick("Bytes", "BYTES", "items", "none", "byte", "")
	}
	specs := make([]string, n)
	for i := range specs {
		specs[i] = g.spec()
	}
	comma := ","
	if g.chance(20) {
		comma = g.pick(", ", " ,", ",,", "\t,\t", " , ,")
	}
	value := unit + "=" + strings.Join(specs, comma)
	if !g.chance(8) {
		return value
	}
	const bytes = "0123456789-,= \tbx+."
	text := []byte(value)
	for range 1 + g.rand.IntN(2) {
		at := g.rand.IntN(len(text))
		switch g.rand.IntN(3) {
		case 0:
			text[at] = bytes[g.rand.IntN(len(bytes))]
		case 1:
			text = append(text[:at], append([]byte{bytes[g.rand.IntN(len(bytes))]}, text[at:]...)...)
		default:
			text = append(text[:at], text[at+1:]...)
			if len(text) == 0 {
				return "x"
			}
		}
	}
	return strings.Trim(string(text), " \t")
}

// tag is an entity tag, or what looks like one.
func (g *Generator) tag() string {
	if g.chance(50) {
		return "{etag}"
	}
	return g.pick(`W/{etag}`, `"x"`, `W/"x"`, `""`, `*`, `x`, `"open`, `w/{etag}`, `"a,b"`)
}

// tags is the value of If-Match and If-None-Match.
func (g *Generator) tags() string {
	if g.chance(60) {
		return g.tag()
	}
	list := make([]string, 2+g.rand.IntN(3))
	for i := range list {
		list[i] = g.tag()
	}
	return strings.Join(list, g.pick(",", ", ", " ,", ",,"))
}

// date is a date around the file's, in one of the three forms, or no date.
func (g *Generator) date() string {
	if g.chance(10) {
		return g.pick("yesterday", "0", "Sun, 33 Dec 2034 10:00:00 GMT", "Sun, 01 Mar 2026 10:20:30 UTC", "Sun, 01 Mar 2026 10:20:30 +0000", "Sun, 01 Mar 2026 10:20:30", "2026-03-01T10:20:30Z")
	}
	at := g.file.Modified.Add([]time.Duration{0, 0, 0, -time.Second, time.Second, -time.Hour, time.Hour, -24 * time.Hour, 24 * time.Hour, -9000 * 24 * time.Hour}[g.rand.IntN(10)])
	return at.UTC().Format(g.pick("Mon, 02 Jan 2006 15:04:05 GMT", "Mon, 02 Jan 2006 15:04:05 GMT", "Monday, 02-Jan-06 15:04:05 GMT", "Mon Jan _2 15:04:05 2006"))
}
