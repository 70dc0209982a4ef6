// Package s3 is the origin and the archive in a bucket of S3 or of a service that speaks its
// API, and the only package that imports its SDK.
// https://docs.aws.amazon.com/AmazonS3/latest/API/
package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
)

// Origin reads objects of a bucket. Safe for concurrent use.
type Origin struct {
	place       Place
	partSize    int64
	client      *s3.Client
	transport   *http.Transport
	unsigned    bool                                    // no authentication is sent
	cached      *aws.CredentialsCache                   // of credentials; nil when unsigned
	credentials atomic.Pointer[aws.CredentialsProvider] // the source of now
}

// New prepares the client. It sends nothing: a gateway starts although the bucket cannot be
// reached. Errors begin with the setting's name and quote no secret.
func New(ctx context.Context, cfg Config) (*Origin, error) {
	place, err := ParseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	o := &Origin{place: place, partSize: cmp.Or(cfg.PartSize, defaultPartSize), transport: origin.NewTransport(idleTimeout)}
	shared, err := o.load(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if o.place.Region == "" {
		o.place.Region = shared.Region
	}
	if o.place.Region == "" {
		if o.place.Endpoint == "" && shared.BaseEndpoint == nil {
			return nil, errors.New("origin-s3-url: needs the parameter region, or AWS_REGION in the environment")
		}
		o.place.Region = "us-east-1" // what services without regions take
	}
	if o.unsigned = cfg.Credentials == anonymous; o.unsigned {
		shared.Credentials = aws.AnonymousCredentials{}
	} else {
		o.cached = aws.NewCredentialsCache(aws.CredentialsProviderFunc(o.retrieve))
		shared.Credentials = o.cached
	}
	o.client = s3.NewFromConfig(shared, o.options)
	return o, nil
}

// options are those of the SDK's client.
func (o *Origin) options(opts *s3.Options) {
	opts.Region = o.place.Region
	opts.UsePathStyle = o.place.PathStyle
	if o.place.Endpoint != "" {
		opts.BaseEndpoint = aws.String(o.place.Endpoint)
	}
	opts.HTTPClient = &http.Client{
		Transport:     origin.WithTraceparent(origin.WithFailpoints(o.transport)),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // it leads to another region
	}
	// One budget of attempts, that of origin.Retry and of Archive.
	opts.Retryer = aws.NopRetryer{}
	// Checksums are sent and compared where this package says so. The SDK's own would make
	// bodies of a coding that other services do not know.
	opts.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	opts.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	opts.DisableLogOutputChecksumValidationSkipped = true
	opts.DisableS3ExpressSessionAuth = aws.Bool(true)
}

// load reads what the SDK's usual sources say, and uses the credentials from now on.
func (o *Origin) load(ctx context.Context, cfg Config) (aws.Config, error) {
	static, err := cfg.static()
	if err != nil {
		return aws.Config{}, err
	}
	shared, err := config.LoadDefaultConfig(context.WithoutCancel(ctx))
	if err != nil {
		return aws.Config{}, fmt.Errorf("origin-s3-credentials: the SDK's shared files cannot be read: %w", err)
	}
	source := shared.Credentials
	if static != nil {
		source = credentials.NewStaticCredentialsProvider(static.id, static.secret, static.token)
	}
	o.credentials.Store(&source)
	return shared, nil
}

// errNoCredentials says that no source has credentials. The SDK's errors name every source
// that it has tried, and addresses.
var errNoCredentials = errors.New("no credentials")

// retrieve gets credentials from the source of now.
func (o *Origin) retrieve(ctx context.Context) (aws.Credentials, error) {
	keys, err := (*o.credentials.Load()).Retrieve(ctx)
	if err != nil && ctx.Err() == nil {
		err = errNoCredentials
	}
	return keys, err
}

// SetCredentials reads the credentials again and uses them from now on. An error names the
// setting, and then the present ones stay; the change from or to no authentication is one.
func (o *Origin) SetCredentials(ctx context.Context, cfg Config) error {
	if (cfg.Credentials == anonymous) != o.unsigned {
		return errors.New("origin-s3-credentials: authentication is turned on and off by a restart only")
	}
	if o.unsigned {
		return nil
	}
	if _, err := o.load(ctx, cfg); err != nil {
		return err
	}
	o.cached.Invalidate()
	return nil
}

// Stop closes idle connections. It may be called twice.
func (o *Origin) Stop() { o.transport.CloseIdleConnections() }

// CloseIdleConnections closes connections that nothing uses.
func (o *Origin) CloseIdleConnections() { o.transport.CloseIdleConnections() }

// idleTimeout is how long an unused connection is kept: services close it sooner than Drive
// does.
const idleTimeout = 30 * time.Second

// Stat implements origin.Stater. A key that may not be appended to the prefix names nothing:
// NotFound.
func (o *Origin) Stat(ctx context.Context, loc media.Location) (media.Object, error) {
	const op = "s3: stat"
	key, err := o.place.key(loc.Key)
	if err != nil {
		return media.Object{}, media.Fault(media.NotFound, op, err)
	}
	head, err := o.head(ctx, op, key)
	if err != nil {
		return media.Object{}, err
	}
	obj := media.Object{
		Provider: media.ProviderS3, ID: loc.Key, Version: versionOf(head.VersionId, head.ETag), Size: aws.ToInt64(head.ContentLength),
		ContentType: aws.ToString(head.ContentType), ModTime: aws.ToTime(head.LastModified), Pinned: true,
	}
	switch {
	case obj.Version == "":
		return media.Object{}, media.Faultf(media.Corrupt, op, "the answer has no ETag")
	case head.ContentLength == nil || obj.Size < 0:
		return media.Object{}, media.Faultf(media.Corrupt, op, "the answer has no length")
	}
	return obj, nil
}

// head describes an object with the service's own checksums. A refusal of HEAD has no body
// and so no reason; the same is then requested by a GET of one byte, whose refusal has.
func (o *Origin) head(ctx context.Context, op, key string) (*s3.HeadObjectOutput, error) {
	head, err := o.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &o.place.Bucket, Key: &key, ChecksumMode: "ENABLED"})
	if err == nil {
		return head, nil
	}
	if answer := responseOf(err); answer != nil && answer.StatusCode >= 300 && answer.StatusCode < 500 {
		if answer.StatusCode == http.StatusNotFound && answer.Header.Get("X-Amz-Delete-Marker") == "true" {
			return nil, media.Faultf(media.NotFound, op, "the object was deleted, earlier versions of it remain")
		}
		body, getErr := o.get(ctx, actionGet, &s3.GetObjectInput{Bucket: &o.place.Bucket, Key: &key, Range: aws.String("bytes=0-0")}, op)
		if getErr == nil {
			body.Body.Close()
			return nil, media.Faultf(media.Unavailable, op, "HEAD is refused with status %d and GET is not", answer.StatusCode)
		}
		return nil, getErr
	}
	return nil, fault(op, actionGet, err)
}

// versionOf names an object's version: the version id where the bucket keeps versions, else
// the ETag, with the quotes that no version id has. Objects from before a bucket kept
// versions have the id "null", which the next such object takes over.
func versionOf(id, etag *string) string {
	if v := aws.ToString(id); v != "" && v != "null" {
		return v
	}
	if tag := aws.ToString(etag); tag != "" {
		return strconv.Quote(trimQuotes(tag))
	}
	return ""
}
