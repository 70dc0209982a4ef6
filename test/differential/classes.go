package differential

import "strings"

// Who is right about a class.
const (
	gatewayIsRight = "the gateway"
	bothMay        = "both"
)

// Classes are the known differences, by server. The first that applies counts. The gateway's
// answers are held against RFC 9110 by expected, so a class says what the other server does.
var Classes = []Class{
	{"a Range of HEAD is answered with 206 or 416", "net/http", gatewayIsRight + " (14.2: Range is for GET)", headRange},
	{"of two lines of a field the first counts", "net/http", gatewayIsRight + " (5.3: they are one list, and invalid)", twoLines},
	{"a suffix of 0 bytes is answered with 206 of none", "net/http", gatewayIsRight + " (14.1.2, 15.5.17: not satisfiable, 416)", func(f facts, ours, theirs string) bool {
		return f.suffixZero && (ours == "416" || strings.HasPrefix(ours, "206") || ours == "200")
	}},
	{"an unknown unit is refused with 416", "net/http", gatewayIsRight + " (14.2: MUST be ignored)", func(f facts, ours, theirs string) bool {
		return f.set && !strings.EqualFold(f.unit, "bytes") && ours == "200" && theirs == "416"
	}},
	{"a unit of capital letters is refused with 416", "net/http", gatewayIsRight + " (14.1: units are case-insensitive)", func(f facts, ours, theirs string) bool {
		return f.unit != "bytes" && strings.EqualFold(f.unit, "bytes") && theirs == "416"
	}},
	{"a number beyond 63 bits is refused with 416", "net/http", gatewayIsRight + " (14.1.2: clamped like any other)", func(f facts, ours, theirs string) bool { return f.huge && theirs == "416" }},
	{"an invalid Range is refused with 416", "net/http", bothMay + " (14.2: MAY be ignored or rejected)", invalidRefused},
	{"a sign before a number is taken", "net/http", gatewayIsRight + " (14.1.1: digits)", func(f facts, ours, theirs string) bool {
		return !f.valid && strings.Contains(f.value, "+") && ours == "200"
	}},
	{"of a range that begins beyond the end the rest is not looked at", "net/http", gatewayIsRight + " (14.1.1: the whole set is invalid)", invalidLeftOut},
	{"more than 16 ranges are answered", "net/http", bothMay + " (14.2: MAY be ignored)", manyRanges},

	{"several lines of a condition are refused with 400", "nginx", bothMay + " (5.3, 15.5.1; a list of entity tags may have several lines)", func(f facts, ours, theirs string) bool { return f.twice && theirs == "400" }},
	{"If-Unmodified-Since counts beside If-Match", "nginx", gatewayIsRight + " (13.1.4)", func(f facts, ours, theirs string) bool {
		return f.has("If-Match") && f.has("If-Unmodified-Since") && theirs == "412"
	}},
	{"If-Unmodified-Since that is no date fails", "nginx", gatewayIsRight + " (13.1.4: MUST be ignored)", func(f facts, ours, theirs string) bool {
		return f.oddDate && f.has("If-Unmodified-Since") && theirs == "412"
	}},
	{"If-Modified-Since counts beside If-None-Match", "nginx", gatewayIsRight + " (13.1.3)", func(f facts, ours, theirs string) bool {
		return f.has("If-None-Match") && f.has("If-Modified-Since") && ours == "304"
	}},
	{"If-Modified-Since counts only when it is the very date", "nginx", gatewayIsRight + " (13.1.3: later dates too)", func(f facts, ours, theirs string) bool {
		at, ok := f.date("If-Modified-Since")
		return ok && at.After(f.modified) && ours == "304"
	}},
	{"a list of entity tags with odd elements", "nginx", bothMay + " (13.1.1, 13.1.2: the field is invalid)", oddLists},
	{"a date without a valid zone is taken", "nginx", gatewayIsRight + " (5.6.7, 13.1.3, 13.1.5)", func(f facts, ours, theirs string) bool { return f.oddDate }},
	{"a Range of HEAD is answered with 206 or 416", "nginx", gatewayIsRight + " (14.2: Range is for GET)", headRange},
	{"of two lines of Range the first counts", "nginx", gatewayIsRight + " (5.3: they are one list, and invalid)", func(f facts, ours, theirs string) bool { return f.two && ours == "200" }},
	{"a number beyond 63 bits is refused with 416", "nginx", gatewayIsRight + " (14.1.2: clamped like any other)", func(f facts, ours, theirs string) bool { return f.huge && theirs == "416" }},
	{"a tab in the list is refused with 416", "nginx", gatewayIsRight + " (5.6.3: optional whitespace)", func(f facts, ours, theirs string) bool {
		return strings.Contains(f.value, "\t") && theirs == "416"
	}},
	{"a space behind the dash of a suffix is refused with 416", "nginx", bothMay + " (14.1.1: it is invalid there)", func(f facts, ours, theirs string) bool {
		return f.spaces && theirs == "416"
	}},
	{"an empty element of the list is refused with 416", "nginx", gatewayIsRight + " (5.6.1.2: MUST be ignored)", func(f facts, ours, theirs string) bool { return f.empty && theirs == "416" }},
	{"an invalid Range is refused with 416", "nginx", bothMay + " (14.2: MAY be ignored or rejected)", invalidRefused},
	{"a reversed range is left out of the list", "nginx", gatewayIsRight + " (14.1.1: the whole set is invalid)", func(f facts, ours, theirs string) bool { return f.reversed && ours == "200" }},
	{"more than 16 ranges are answered", "nginx", bothMay + " (14.2: MAY be ignored)", manyRanges},

	{"several lines of a field", "apache", bothMay + " (5.3: singletons are invalid)", func(f facts, ours, theirs string) bool { return f.twice || f.two }},
	{"If-Unmodified-Since counts beside If-Match", "apache", gatewayIsRight + " (13.1.4)", func(f facts, ours, theirs string) bool {
		return f.has("If-Match") && f.has("If-Unmodified-Since") && theirs == "412"
	}},
	{"a list of If-Match fails at a weak entity tag", "apache", gatewayIsRight + " (13.1.1: a later one may match)", func(f facts, ours, theirs string) bool {
		return strings.Contains(strings.Join(f.values("If-Match"), ","), "W/") && theirs == "412"
	}},
	{"a Range keeps If-None-Match and If-Modified-Since from counting", "apache", gatewayIsRight + " (13.2.2: they come before Range)", func(f facts, ours, theirs string) bool {
		return f.value != "" && ours == "304" && theirs != "412"
	}},
	{"a condition that is met keeps If-None-Match or If-Modified-Since from counting", "apache", gatewayIsRight + " (13.2.2: they are evaluated one after the other)", func(f facts, ours, theirs string) bool {
		others := f.has("If-Unmodified-Since") || f.has("If-Range") || f.has("If-None-Match") && f.has("If-Modified-Since")
		return others && ours == "304" && theirs == "200"
	}},
	{"the suffix of 0 bytes makes a Range be ignored", "apache", bothMay + " (14.2: MAY be ignored)", func(f facts, ours, theirs string) bool {
		return f.suffixZero && theirs == "200"
	}},
	{"an invalid element is left out of the list", "apache", gatewayIsRight + " (14.1.1: the whole set is invalid)", invalidLeftOut},
	{"a Range with an empty element is ignored", "apache", gatewayIsRight + " (5.6.1.2: empty elements are)", func(f facts, ours, theirs string) bool {
		return f.empty && theirs == "200"
	}},
	{"a Range of HEAD is answered with 206 or 416", "apache", gatewayIsRight + " (14.2: Range is for GET)", headRange},
	{"a list of entity tags with odd elements", "apache", bothMay + " (13.1.1, 13.1.2: the field is invalid)", oddLists},
	{"a date without a valid zone is taken", "apache", gatewayIsRight + " (5.6.7, 13.1.3, 13.1.5)", func(f facts, ours, theirs string) bool { return f.oddDate }},
	{"a Range with a number beyond 63 bits is ignored", "apache", bothMay + " (14.2: MAY be ignored)", func(f facts, ours, theirs string) bool { return f.huge && theirs == "200" }},
	{"a list of ranges with whitespace is ignored", "apache", gatewayIsRight + " (5.6.1.2, 14.1.1: it is valid around commas)", func(f facts, ours, theirs string) bool {
		return strings.ContainsAny(f.value, " \t") && theirs == "200"
	}},
	{"overlapping ranges are joined", "apache", bothMay + " (15.3.7.2: MAY be coalesced)", func(f facts, ours, theirs string) bool {
		return f.valid && (f.overlap() || adjacent(f)) && strings.HasPrefix(theirs, "206")
	}},
	{"more than 16 ranges are answered", "apache", bothMay + " (14.2: MAY be ignored)", manyRanges},
	{"an invalid Range is refused with 416", "apache", bothMay + " (14.2: MAY be ignored or rejected)", invalidRefused},
}

// headRange: the Range of a HEAD counts.
func headRange(f facts, ours, theirs string) bool {
	return f.Method == "HEAD" && f.value != "" && ours == "200" && (theirs == "416" || strings.HasPrefix(theirs, "206"))
}

// twoLines: a field that is no list has two lines.
func twoLines(f facts, ours, theirs string) bool { return f.two || f.twice }

// invalidRefused: what the gateway ignores is refused.
func invalidRefused(f facts, ours, theirs string) bool {
	return !f.valid && ours == "200" && theirs == "416"
}

// invalidLeftOut: what the gateway ignores is answered in part.
func invalidLeftOut(f facts, ours, theirs string) bool {
	return !f.valid && ours == "200" && strings.HasPrefix(theirs, "206")
}

// manyRanges: the gateway answers with the whole.
func manyRanges(f facts, ours, theirs string) bool {
	return f.specs > 16 && ours == "200" && (strings.HasPrefix(theirs, "206") || theirs == "416")
}

// oddLists: If-Match or If-None-Match has an element that is no entity tag.
func oddLists(f facts, ours, theirs string) bool { return f.oddTags }

// adjacent reports whether a span begins where another ends.
func adjacent(f facts) bool {
	for _, a := range f.spans {
		for _, b := range f.spans {
			if a.last+1 == b.first {
				return true
			}
		}
	}
	return false
}
