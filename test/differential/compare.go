package differential

import (
	"fmt"
	"io"
	"slices"
)

// Class is a known class of difference between the gateway and another server.
type Class struct {
	Name   string
	Server string
	// Right is who is right, and by which section of RFC 9110.
	Right string
	// applies reports whether a difference is of the class.
	applies func(f facts, ours, theirs string) bool
}

// Comparison counts the differences of a campaign. It is not safe for concurrent use.
type Comparison struct {
	File     File
	Requests int
	// differences are how many requests of each class there were, by the class's index in
	// Classes, and examples the first of each.
	differences map[int]int
	examples    map[int]string
	// Unknown are differences of no known class, and answers of the gateway that are not
	// expected, up to maxUnknown; unknown is how many.
	Unknown []string
	unknown int
}

const maxUnknown = 200

// NewComparison returns a comparison without requests.
func NewComparison(file File) *Comparison {
	return &Comparison{File: file, differences: map[int]int{}, examples: map[int]string{}}
}

// Compare sends n requests of the generator to all servers, the gateway first, in batches.
func (c *Comparison) Compare(g *Generator, n int, gateway Server, others ...Server) error {
	const batch = 100
	for left := n; left > 0; left -= batch {
		requests := make([]Request, min(batch, left))
		for i := range requests {
			requests[i] = g.Next()
		}
		ours, err := gateway.Answer(requests)
		if err != nil {
			return err
		}
		for i, r := range requests {
			f := factsOf(r, c.File)
			if want := f.expected(); ours[i] != want {
				c.addUnknown(fmt.Sprintf("%s | the gateway answers %s, RFC 9110 wants %s", r, ours[i], want))
			}
		}
		for _, other := range others {
			theirs, err := other.Answer(requests)
			if err != nil {
				return err
			}
			for i, r := range requests {
				c.add(other.Name(), r, ours[i], theirs[i])
			}
		}
		c.Requests += len(requests)
	}
	return nil
}

// add compares one answer.
func (c *Comparison) add(server string, r Request, ours, theirs string) {
	if ours == theirs {
		return
	}
	line := fmt.Sprintf("%s | ours %s | %s %s", r, ours, server, theirs)
	f := factsOf(r, c.File)
	for i, class := range Classes {
		if class.Server == server && class.applies(f, ours, theirs) {
			c.differences[i]++
			if c.examples[i] == "" {
				c.examples[i] = line
			}
			return
		}
	}
	c.addUnknown(line)
}

func (c *Comparison) addUnknown(line string) {
	c.unknown++
	if len(c.Unknown) < maxUnknown {
		c.Unknown = append(c.Unknown, line)
	}
}

// Merge adds another comparison's counts.
func (c *Comparison) Merge(other *Comparison) {
	c.Requests += other.Requests
	c.unknown += other.unknown
	c.Unknown = append(c.Unknown, other.Unknown[:min(len(other.Unknown), maxUnknown-min(maxUnknown, len(c.Unknown)))]...)
	for i, n := range other.differences {
		c.differences[i] += n
		if c.examples[i] == "" {
			c.examples[i] = other.examples[i]
		}
	}
}

// Report writes how many requests there were of each class.
func (c *Comparison) Report(w io.Writer) {
	fmt.Fprintf(w, "%d requests, %d differences of no known class\n", c.Requests, c.unknown)
	var seen []int
	for i := range c.differences {
		seen = append(seen, i)
	}
	slices.Sort(seen)
	for _, i := range seen {
		fmt.Fprintf(w, "%-8s %8d  %s; right: %s\n%18s%.240s\n", Classes[i].Server, c.differences[i], Classes[i].Name, Classes[i].Right, "e.g. ", c.examples[i])
	}
}
