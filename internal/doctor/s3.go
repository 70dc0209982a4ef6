package doctor

import (
	"context"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/s3"
)

// s3Timeout bounds the requests of a check of S3. What the check wrote is removed after it,
// within the report's deadline.
const s3Timeout = 8 * time.Second

const fixS3 = "check origin-s3-url (endpoint, use_path_style), origin-s3-credentials and the network"

// s3Fixes are remedies for reasons of the service's errors that do not depend on what was
// tried.
var s3Fixes = map[string]string{
	"NoSuchBucket":          "make the bucket, or correct its name, the region or the endpoint in origin-s3-url",
	"InvalidAccessKeyId":    "correct the key id of origin-s3-credentials: it may have been deleted, or belong to another service",
	"SignatureDoesNotMatch": "correct the secret of origin-s3-credentials",
	"ExpiredToken":          "renew the session token, or use credentials that do not expire or a role of this machine",
	"InvalidToken":          "correct the session token of origin-s3-credentials",
	"RequestTimeTooSkewed":  "let a time service (chrony, systemd-timesyncd) set this machine's clock",
	s3.ReasonWrongRegion:    "correct the parameter region of origin-s3-url",
	s3.ReasonNoCredentials:  "set origin-s3-credentials, or give this machine a role",
	s3.ReasonNotAPI:         "check the parameter endpoint of origin-s3-url and HTTPS_PROXY: something else answers in the place of S3",
}

// s3Fault reports an error of S3.
func (r *Report) s3Fault(check string, err error) {
	reason := media.ReasonOf(err)
	fix, known := s3Fixes[reason]
	switch action := s3.ActionOf(err); {
	case known:
	case action != "":
		fix = "let the policy of the credentials, or of the bucket, allow " + action
	case reason == "SlowDown":
		r.warn(check, "wait a minute and run this again", "S3 asks to go slower: %v", err)
		return
	default:
		fix = fixS3
	}
	r.fail(check, fix, "S3 cannot be used: %v", err)
}

// S3Origin lists the bucket and reads a byte of an object. clockLimit is by how much our
// clock may differ from the service's.
func (r *Report) S3Origin(ctx context.Context, cfg s3.Config, clockLimit time.Duration) {
	const check = nameOriginS3
	if cfg.URL == "" {
		r.pass(check, "not configured")
		return
	}
	r.withS3(ctx, check, cfg, func(ctx context.Context, remote *s3.Origin) {
		switch access, ok := r.s3Access(ctx, check, remote, clockLimit); {
		case !ok:
		case !access.Listed:
			r.warn(check, "let the policy allow s3:ListBucket on the bucket", "the bucket %s answers, but cannot be listed: no object was read, and a missing recording is answered as a forbidden one", access.Bucket)
		case access.Read && access.Versioned:
			r.pass(check, "an object of the bucket %s can be read by its version", access.Bucket)
		case access.Read:
			r.pass(check, "an object of the bucket %s can be read", access.Bucket)
		default:
			r.pass(check, "the bucket %s can be listed; there is no object below the prefix to read", access.Bucket)
		}
	})
}

// S3Archive lists the bucket and reads a byte, and does with a small object all that an
// ingest does.
func (r *Report) S3Archive(ctx context.Context, cfg s3.Config, clockLimit time.Duration) {
	const check = nameArchive
	r.withS3(ctx, check, cfg, func(ctx context.Context, remote *s3.Origin) {
		access, ok := r.s3Access(ctx, check, remote, clockLimit)
		if !ok {
			return
		}
		if !access.Listed {
			r.fail(check, "let the policy allow s3:ListBucket on the bucket", "the bucket %s cannot be listed, which comparing it with the database needs", access.Bucket)
			return
		}
		err := s3.NewArchive(remote).CheckWrite(ctx)
		if media.KindOf(err) == media.Quota && err != nil {
			r.fail(check, "make room, or raise the bucket's quota", "there is no room for new recordings: %v", err)
			return
		}
		if err != nil {
			r.s3Fault(check, err)
			return
		}
		kept := ""
		if access.Versioned {
			kept = "; the bucket keeps versions: a lifecycle rule has to expire those of removed recordings"
		}
		r.pass(check, "an object of the bucket %s can be written, in parts too, read and removed%s", access.Bucket, kept)
	})
}

// withS3 runs a check with an origin of its own.
func (r *Report) withS3(ctx context.Context, check string, cfg s3.Config, run func(context.Context, *s3.Origin)) {
	remote, err := s3.New(ctx, cfg)
	if err != nil {
		r.fail(check, "give the URL as s3://BUCKET?region=REGION, and the credentials as KEY_ID:SECRET", "%v", err)
		return
	}
	defer remote.Stop()
	ctx, cancel := context.WithTimeout(ctx, s3Timeout)
	defer cancel()
	run(ctx, remote)
}

// s3Access checks that the bucket can be read, and compares our clock with the service's.
func (r *Report) s3Access(ctx context.Context, check string, remote *s3.Origin, clockLimit time.Duration) (s3.Access, bool) {
	asked := time.Now()
	access, err := remote.CheckAccess(ctx)
	answered := time.Now()
	r.Clock("S3", access.Date, asked, answered, clockLimit)
	if err != nil {
		r.s3Fault(check, err)
		return access, false
	}
	return access, true
}
