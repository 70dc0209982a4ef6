package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
)

// The actions that a policy must allow, as errors name them.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
const (
	actionGet         = "s3:GetObject"
	actionGetVersion  = "s3:GetObjectVersion"
	actionPut         = "s3:PutObject"
	actionDelete      = "s3:DeleteObject"
	actionList        = "s3:ListBucket"
	actionListUploads = "s3:ListBucketMultipartUploads"
	actionListParts   = "s3:ListMultipartUploadParts"
	actionAbort       = "s3:AbortMultipartUpload"
)

// Reasons that errors of this package carry beyond the service's own codes.
const (
	// ReasonWrongRegion: the bucket is in another region than requests are signed for.
	ReasonWrongRegion = "wrong_region"
	// ReasonNotAPI: an error status without the API's error body, as a proxy or a captive
	// portal sends it. It says nothing about the object.
	ReasonNotAPI = "not_an_api_answer"
	// ReasonNoCredentials: none of the sources has credentials.
	ReasonNoCredentials = "no_credentials"
)

// codeKinds classifies the API's error codes; what is not listed is classified by its status.
// What an operator repairs without touching the object is Unavailable, and never NotFound:
// that a bucket is missing says nothing about the recordings.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var codeKinds = map[string]media.Kind{
	"NoSuchKey": media.NotFound,
	// The version that was asked for is gone, or is a mark of deletion.
	"NoSuchVersion": media.Changed, "PreconditionFailed": media.Changed, "InvalidRange": media.Changed, "MethodNotAllowed": media.Changed,
	// A policy, or the object's storage class, refuses it.
	"AccessDenied": media.Denied, "AllAccessDisabled": media.Denied, "InvalidObjectState": media.Denied, "AccountProblem": media.Denied,
	// The credentials, the clock, the bucket's name or the region are wrong.
	"NoSuchBucket": media.Unavailable, "InvalidAccessKeyId": media.Unavailable, "SignatureDoesNotMatch": media.Unavailable,
	"ExpiredToken": media.Unavailable, "InvalidToken": media.Unavailable, "TokenRefreshRequired": media.Unavailable,
	"RequestTimeTooSkewed": media.Unavailable, "RequestExpired": media.Unavailable, ReasonWrongRegion: media.Unavailable,
	// It asks the caller to go slower, or to try again.
	"SlowDown": media.Unavailable, "SlowDownRead": media.Unavailable, "SlowDownWrite": media.Unavailable, "TooManyRequests": media.Unavailable,
	"RequestLimitExceeded": media.Unavailable, "ServiceUnavailable": media.Unavailable, "InternalError": media.Unavailable,
	"OperationAborted": media.Unavailable, "ConditionalRequestConflict": media.Unavailable,
	"RequestTimeout": media.Timeout,
	// What arrived is not what was sent.
	"BadDigest": media.Corrupt, "InvalidDigest": media.Corrupt, "XAmzContentSHA256Mismatch": media.Corrupt, "XAmzContentChecksumMismatch": media.Corrupt, "IncompleteBody": media.Corrupt,
	// There is no room.
	"QuotaExceeded": media.Quota, "InsufficientStorage": media.Quota, "XMinioStorageFull": media.Quota, "XMinioAdminBucketQuotaExceeded": media.Quota,
}

// regionCodes mean that the bucket is in another region.
var regionCodes = map[string]bool{"PermanentRedirect": true, "TemporaryRedirect": true, "Redirect": true, "AuthorizationHeaderMalformed": true, "IllegalLocationConstraintException": true, "MovedPermanently": true}

// codeTexts say what an operator should know about a code whose name does not say it.
var codeTexts = map[string]string{
	"NoSuchBucket":          "the bucket does not exist",
	"InvalidAccessKeyId":    "the service does not know the key id of origin-s3-credentials",
	"SignatureDoesNotMatch": "the secret of origin-s3-credentials does not belong to its key id",
	"ExpiredToken":          "the session token has expired",
	"RequestTimeTooSkewed":  "this machine's clock differs from the service's by too much",
	"InvalidObjectState":    "the object is in an archival storage class and has to be restored first",
	ReasonNotAPI:            "not an answer of the S3 API but a page of a proxy, or the endpoint is wrong",
}

// fault gives an error of the SDK, the API or the network its Kind; nil stays nil. It holds no
// text of the service's and no URL, and names the action that the policy must allow where it
// was denied.
func fault(op, action string, err error) error {
	var apiErr smithy.APIError
	var known *media.Error
	answer := responseOf(err)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case media.KindOf(err) == media.Canceled, errors.Is(err, context.Canceled):
		return media.Fault(media.Canceled, op, context.Canceled)
	case errors.Is(err, errNoCredentials):
		return &media.Error{Kind: media.Unavailable, Op: op, Reason: ReasonNoCredentials, Err: errors.New("set origin-s3-credentials, or give this machine a role")}
	case answer != nil && errors.As(err, &apiErr):
		return apiFault(op, action, apiErr.ErrorCode(), answer)
	case answer != nil:
		return apiFault(op, action, "", answer)
	default:
		return origin.NetworkFault(op, err)
	}
}

// responseOf is the answer that made an error, or nil. The SDK has one of status 0 for a
// request that got none.
func responseOf(err error) *http.Response {
	var r *smithyhttp.ResponseError
	if !errors.As(err, &r) || r.Response == nil || r.Response.Response == nil || r.Response.StatusCode == 0 {
		return nil
	}
	return r.Response.Response
}

func apiFault(op, action, code string, answer *http.Response) error {
	kind, reason := classify(code, answer.StatusCode)
	text := fmt.Sprintf("status %d", answer.StatusCode)
	switch more := codeTexts[reason]; {
	case reason == ReasonWrongRegion:
		text += ": the bucket is in another region" + regionHint(answer)
	case more != "":
		text += ": " + more
	}
	cause := errors.New(text)
	if kind == media.Denied {
		cause = &deniedError{text, action}
	}
	return &media.Error{Kind: kind, Op: op, Reason: reason, RetryAfter: origin.RetryAfter(answer.Header), Err: cause}
}

// deniedError is a refusal of an action.
type deniedError struct{ text, action string }

func (e *deniedError) Error() string { return e.text + ", action " + e.action }

// ActionOf is the action that a policy must allow where an error is that it was denied, as
// "s3:GetObject"; "" for other errors.
func ActionOf(err error) string {
	var denied *deniedError
	if errors.As(err, &denied) {
		return denied.action
	}
	return ""
}

// regionHint names the region that an answer says the bucket is in.
func regionHint(answer *http.Response) string {
	if region := answer.Header.Get("X-Amz-Bucket-Region"); regionName.MatchString(region) {
		return ": set region=" + region + " in origin-s3-url"
	}
	return ": correct region in origin-s3-url"
}

// classify is the Kind and the reason of an error answer. One that has no code of the API's
// says nothing about the object: Unavailable, unless its status alone is clear.
func classify(code string, status int) (media.Kind, string) {
	if regionCodes[code] || status == http.StatusMovedPermanently || status == http.StatusTemporaryRedirect {
		return codeKinds[ReasonWrongRegion], ReasonWrongRegion
	}
	if kind, ok := codeKinds[code]; ok {
		return kind, code
	}
	if !origin.IsErrorCode(code) || statusCodes[code] {
		code = ""
	}
	switch {
	case status == http.StatusPreconditionFailed, status == http.StatusRequestedRangeNotSatisfiable:
		return media.Changed, code
	case status == http.StatusInsufficientStorage:
		return media.Quota, code
	case status == http.StatusTooManyRequests, status >= 500:
		return media.Unavailable, code
	case status == http.StatusRequestTimeout:
		return media.Timeout, code
	case code == "":
		return media.Unavailable, ReasonNotAPI
	case status == http.StatusUnauthorized:
		return media.Unavailable, code
	case status == http.StatusForbidden:
		return media.Denied, code
	case status >= 400:
		return media.Invalid, code
	default:
		return media.Corrupt, code
	}
}

// statusCodes are what the SDK makes of a status whose answer has no error body.
var statusCodes = map[string]bool{"NotFound": true, "Forbidden": true, "BadRequest": true, "UnknownError": true, "Unauthorized": true}
