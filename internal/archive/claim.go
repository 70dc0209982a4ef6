package archive

// Claim is what an upload records in an object's metadata, where a service computes no MD5
// of the whole object, as S3 and Azure for what comes in parts. Metadata proves nothing by
// itself: the writer of an object chooses it. It counts only together with a checksum
// that the service has computed of the bytes it holds.
type Claim struct {
	// MD5 is that of the file that was sent, lower-case hex.
	MD5 string
	// Checksums are of the same file, read at the same time, of the kinds that the service
	// computes itself: by kind, in the service's own spelling.
	Checksums map[string]string
}

// Proven returns the claim's MD5 where the service's own checksums prove it, else "".
// computed are those checksums by kind. At least one must be of a kind that the claim has,
// and none may contradict it.
func (c Claim) Proven(computed map[string]string) (md5 string) {
	agree := 0
	for kind, value := range computed {
		claimed := c.Checksums[kind]
		switch {
		case value == "" || claimed == "":
		case value != claimed:
			return ""
		default:
			agree++
		}
	}
	if agree == 0 {
		return ""
	}
	return c.MD5
}
