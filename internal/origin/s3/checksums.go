package s3

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc64"
	"io"
	"os"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/lectiospace/lectern/internal/archive"
)

// The metadata that an upload records: the claim of archive.Claim.
const (
	metaMD5  = "lectern-md5"
	metaCRC  = "lectern-crc64nvme"
	metaETag = "lectern-etag"
)

// The kinds of checksums that the service computes of a whole object.
const (
	kindCRC  = "crc64nvme" // in base64, as the API writes it
	kindETag = "etag"      // without quotes
)

// nvme is the polynomial of CRC-64/NVME, reflected. Of the checksums that S3 computes of a
// whole object that came in parts it is the one that it computes by itself where nobody asks
// for another.
var nvme = crc64.MakeTable(0x9a6c9329ac4bc9b5)

func newCRC() hash.Hash64 { return crc64.New(nvme) }

func crcText(h hash.Hash64) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, h.Sum64()))
}

// fileSums are the checksums of a file on our disk, all of one reading.
type fileSums struct {
	size  int64
	md5   string // of the whole, lower-case hex
	crc   string // CRC-64/NVME of the whole, in base64
	etag  string // what the service makes of these parts, or of the whole in one request
	parts []partSums
}

// partSums are those of one part.
type partSums struct {
	offset, size int64
	md5          [md5.Size]byte
	crc          string
}

// sumFile reads a file, in parts of so many bytes.
func sumFile(ctx context.Context, f *os.File, part int64) (fileSums, error) {
	var out fileSums
	whole, wholeCRC, etag := md5.New(), newCRC(), md5.New()
	for {
		sum, crc := md5.New(), newCRC()
		n, err := io.CopyN(io.MultiWriter(sum, crc, whole, wholeCRC), archive.ContextReader{Ctx: ctx, Reader: io.NewSectionReader(f, out.size, part)}, part)
		if err != nil && !errors.Is(err, io.EOF) {
			return out, err
		}
		if n == 0 && len(out.parts) > 0 {
			break
		}
		p := partSums{offset: out.size, size: n, crc: crcText(crc)}
		sum.Sum(p.md5[:0])
		etag.Write(p.md5[:])
		out.parts = append(out.parts, p)
		if out.size += n; n < part {
			break
		}
	}
	out.md5, out.crc = hex.EncodeToString(whole.Sum(nil)), crcText(wholeCRC)
	out.etag = out.md5
	if len(out.parts) > 1 {
		out.etag = fmt.Sprintf("%x-%d", etag.Sum(nil), len(out.parts))
	}
	return out, nil
}

// metadata is the claim for an object of the file, and the item's properties.
func (s fileSums) metadata(item archive.Item) map[string]string {
	out := map[string]string{metaMD5: s.md5, metaCRC: s.crc, metaETag: s.etag}
	for name, value := range item.Properties {
		if plain.MatchString(name) && plain.MatchString(value) {
			out[name] = value
		}
	}
	return out
}

// plain is what a header can hold and a signature does not change.
var plain = regexp.MustCompile(`^[!-~]([ -~]{0,200}[!-~])?$`)

// plainMD5 is an ETag that is an MD5: of an object that came in one request and is encrypted
// with no key of the customer's.
var plainMD5 = regexp.MustCompile(`^[0-9a-f]{32}$`)

// provenMD5 is the MD5 of an object's bytes that the service vouches for, or "": by its own
// CRC-64/NVME of the whole, else by its ETag, which it makes of the parts' MD5, or which is
// the MD5 of an object that came or was copied in one request.
func provenMD5(head *s3.HeadObjectOutput) string {
	claim := archive.Claim{MD5: head.Metadata[metaMD5], Checksums: map[string]string{kindCRC: head.Metadata[metaCRC], kindETag: head.Metadata[metaETag]}}
	if crc := aws.ToString(head.ChecksumCRC64NVME); crc != "" && head.ChecksumType != types.ChecksumTypeComposite && claim.MD5 != "" {
		// The ETag of the same bytes changes when somebody copies the object in other parts.
		return claim.Proven(map[string]string{kindCRC: crc})
	}
	etag := trimQuotes(aws.ToString(head.ETag))
	if keyed(head) {
		return ""
	}
	if proven := claim.Proven(map[string]string{kindETag: etag}); proven != "" {
		return proven
	}
	if plainMD5.MatchString(etag) && (claim.MD5 == "" || claim.MD5 == etag) {
		return etag
	}
	return ""
}

// keyed reports whether an object is encrypted with a key of the customer's, in which case
// its ETag says nothing of its bytes.
func keyed(head *s3.HeadObjectOutput) bool {
	switch head.ServerSideEncryption {
	case "", types.ServerSideEncryptionAes256:
		return aws.ToString(head.SSECustomerAlgorithm) != ""
	default:
		return true
	}
}
