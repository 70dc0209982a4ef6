package media

// ArchivedDigest is the digest of bytes that were computed before they were archived. It
// belongs to one version of one object, so that a file which was replaced in the archive
// never gets the digest of what it replaced. The zero value belongs to nothing.
type ArchivedDigest struct {
	Location Location
	Version  string
	Size     int64  // bytes
	SHA256   string // lower-case hex
}

// Of returns the digest in lower-case hex when it belongs to an object, else "".
func (d ArchivedDigest) Of(o Object) string {
	if d.Location == o.Location() && d.Version == o.Version && d.Size == o.Size {
		return d.SHA256
	}
	return ""
}

// DigestOf is the SHA-256 of an object in lower-case hex: what its origin states, else what
// was recorded when it was archived; "" where neither is known.
func DigestOf(o Object, d ArchivedDigest) string {
	if o.SHA256 != "" {
		return o.SHA256
	}
	return d.Of(o)
}
