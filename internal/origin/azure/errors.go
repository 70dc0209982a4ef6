package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
)

// Reasons of this package beyond the service's own error codes.
const (
	// ReasonNotAPI: an error status without the service's headers, as a proxy or a captive
	// portal sends it. It says nothing about the blob.
	ReasonNotAPI = "not_an_api_answer"
	// ReasonNoToken: none of the SDK's sources of credentials gave a token.
	ReasonNoToken = "no_access_token"
)

// codeKinds classifies the service's error codes. What is not listed is classified by its
// status. https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes
var codeKinds = map[bloberror.Code]media.Kind{
	bloberror.BlobNotFound: media.NotFound,
	// The container is a setting, and says nothing of the blob: an archive whose container
	// is misspelt has not lost its recordings.
	bloberror.ContainerNotFound: media.Unavailable, bloberror.ContainerBeingDeleted: media.Unavailable, bloberror.ContainerDisabled: media.Unavailable,
	bloberror.ResourceNotFound: media.Unavailable,
	// Only somebody's change of rights or settings helps.
	bloberror.AuthorizationFailure: media.Denied, bloberror.AuthorizationPermissionMismatch: media.Denied, bloberror.AuthorizationProtocolMismatch: media.Denied,
	bloberror.AuthorizationResourceTypeMismatch: media.Denied, bloberror.AuthorizationServiceMismatch: media.Denied, bloberror.AuthorizationSourceIPMismatch: media.Denied,
	bloberror.InsufficientAccountPermissions: media.Denied, "PublicAccessNotPermitted": media.Denied, "KeyBasedAuthenticationNotPermitted": media.Denied,
	bloberror.BlobArchived: media.Denied, bloberror.BlobImmutableDueToPolicy: media.Denied, bloberror.LeaseIDMissing: media.Denied,
	// Credentials and accounts are repaired; what is cached is played until then.
	bloberror.AuthenticationFailed: media.Unavailable, bloberror.InvalidAuthenticationInfo: media.Unavailable, bloberror.NoAuthenticationInformation: media.Unavailable,
	bloberror.AccountIsDisabled: media.Unavailable, bloberror.AccountBeingCreated: media.Unavailable, bloberror.BlobBeingRehydrated: media.Unavailable,
	// The service asks the caller to go slower, or has failed.
	bloberror.ServerBusy: media.Unavailable, bloberror.InternalError: media.Unavailable, bloberror.OperationTimedOut: media.Timeout,
	// Another version, or another size.
	bloberror.ConditionNotMet: media.Changed, bloberror.InvalidRange: media.Changed, bloberror.BlobAlreadyExists: media.Changed,
	// The bytes did not arrive as they were sent.
	bloberror.MD5Mismatch: media.Corrupt,
}

// codeTexts say what an operator should know about a code whose name does not say it.
var codeTexts = map[string]string{
	string(bloberror.AuthenticationFailed):            "the key or the signature is wrong, has expired, or this machine's clock is wrong",
	string(bloberror.AuthorizationPermissionMismatch): "the identity or the signature has not the right to do this",
	string(bloberror.AuthorizationFailure):            "the account's firewall or the signature's limits forbid this",
	string(bloberror.ContainerNotFound):               "the container of origin-azure-url does not exist",
	string(bloberror.BlobArchived):                    "the blob is in the archive tier: rehydrate it to hot, cool or cold",
	ReasonNotAPI:                                      "not an answer of Azure but a page of a proxy",
}

// fault gives an error of the SDK or of the network its Kind. It holds no text of theirs:
// the SDK's errors quote requests, and a URL may hold a signature.
func fault(op string, err error) error {
	var known *media.Error
	var respErr *azcore.ResponseError
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, context.Canceled):
		return media.Fault(media.Canceled, op, context.Canceled)
	case errors.Is(err, errNoToken):
		return &media.Error{Kind: media.Unavailable, Op: op, Reason: ReasonNoToken, Err: errors.New("Azure's environment variables, workload identity and managed identity give no access token")}
	case errors.As(err, &respErr):
		return responseFault(op, respErr)
	default:
		return origin.NetworkFault(op, err)
	}
}

func responseFault(op string, e *azcore.ResponseError) error {
	kind, reason := classify(e)
	text := fmt.Sprintf("status %d", e.StatusCode)
	if more := codeTexts[reason]; more != "" {
		text += ": " + more
	}
	return &media.Error{Kind: kind, Op: op, Reason: reason, RetryAfter: retryAfter(e.RawResponse), Err: errors.New(text)}
}

// classify is the Kind and the reason of an error answer. One without the headers that the
// service sends with every answer is Unavailable: a page says nothing about the blob.
func classify(e *azcore.ResponseError) (media.Kind, string) {
	if kind, ok := codeKinds[bloberror.Code(e.ErrorCode)]; ok {
		return kind, e.ErrorCode
	}
	if e.RawResponse == nil || e.RawResponse.Header.Get("X-Ms-Request-Id") == "" && e.StatusCode < http.StatusInternalServerError {
		return media.Unavailable, ReasonNotAPI
	}
	reason := ""
	if origin.IsErrorCode(e.ErrorCode) {
		reason = e.ErrorCode
	}
	return statusKind(e.StatusCode), reason
}

// statusKind classifies a status whose code says nothing more.
func statusKind(status int) media.Kind {
	switch {
	case status == http.StatusTooManyRequests, status >= 500:
		return media.Unavailable
	case status == http.StatusUnauthorized:
		return media.Unavailable
	case status == http.StatusForbidden:
		return media.Denied
	case status == http.StatusNotFound:
		return media.NotFound
	case status == http.StatusRequestTimeout:
		return media.Timeout
	case status == http.StatusPreconditionFailed, status == http.StatusRequestedRangeNotSatisfiable:
		return media.Changed
	case status >= 400:
		return media.Invalid
	default:
		return media.Corrupt
	}
}

// retryAfter reads both forms of Retry-After (RFC 9110 section 10.2.3), and Azure's own in
// milliseconds; 0 when there is none. It is at most media.MaxRetryAfter.
func retryAfter(resp *http.Response) time.Duration {
	if resp == nil {
		return 0
	}
	for _, name := range []string{"X-Ms-Retry-After-Ms", "Retry-After-Ms"} {
		if ms, err := strconv.ParseInt(resp.Header.Get(name), 10, 64); err == nil && ms > 0 {
			return time.Duration(min(ms, media.MaxRetryAfter.Milliseconds())) * time.Millisecond
		}
	}
	return origin.RetryAfter(resp.Header)
}
