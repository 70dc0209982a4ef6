package drive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"golang.org/x/oauth2"
	"google.golang.org/api/googleapi"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
)

// Reasons that errors of this package carry beyond Drive's own.
const (
	// ReasonAbusive is Drive's own: it has flagged the file as malware or spam.
	ReasonAbusive = "cannotDownloadAbusiveFile"
	// ReasonNotAPI: an error status without the API's error body, as a proxy, a captive
	// portal or Google's front end sends it. It says nothing about the file.
	ReasonNotAPI = "not_an_api_answer"
	// ReasonFolder: the id is a folder's where a file's is needed.
	ReasonFolder = "is_a_folder"
	// ReasonNotFolder: the id is a file's where a folder's is needed.
	ReasonNotFolder = "is_not_a_folder"
	// ReasonShortcut: a shortcut leads to another shortcut.
	ReasonShortcut = "shortcut_to_shortcut"
	// ReasonShortcutToFolder: a shortcut leads to a folder.
	ReasonShortcutToFolder = "shortcut_to_folder"
)

// reasonKinds classifies the reasons of the API's errors. What is not listed is classified
// by its status.
// https://developers.google.com/workspace/drive/api/guides/handle-errors
var reasonKinds = map[string]media.Kind{
	// A quota that lasts for hours: requests meanwhile only make it longer.
	"downloadQuotaExceeded": media.Quota, "dailyLimitExceeded": media.Quota, "quotaExceeded": media.Quota,
	// Drive asks the caller to go slower for seconds.
	"userRateLimitExceeded": media.Unavailable, "rateLimitExceeded": media.Unavailable, "backendError": media.Unavailable,
	"RESOURCE_EXHAUSTED": media.Unavailable, "UNAVAILABLE": media.Unavailable,
	// Only somebody's change of rights or settings helps.
	ReasonAbusive: media.Denied, "cannotDownloadFile": media.Denied, "insufficientFilePermissions": media.Denied,
	"appNotAuthorizedToFile": media.Denied, "domainPolicy": media.Denied, "sharingRateLimitExceeded": media.Denied,
}

// reasonTexts say what an operator should know about a reason whose name does not say it.
var reasonTexts = map[string]string{
	ReasonAbusive: "Google has flagged the file as malware or spam and lets only its owner download it: the owner downloads it at drive.google.com, acknowledging the warning, and uploads a clean copy, or requests a review there",
	ReasonNotAPI:  "not an answer of Drive's API but a page of a proxy or of Google's front end",
}

// fault gives an error of the API or of the network its Kind. A status of 403 means nothing
// without its reason. The error holds no text of Drive's, and no URL.
func fault(op string, err error) error {
	var apiErr *googleapi.Error
	var tokenErr *oauth2.RetrieveError
	switch {
	case errors.As(err, &apiErr):
		return apiFault(op, apiErr)
	case media.KindOf(err) == media.Canceled, errors.Is(err, context.Canceled):
		return media.Fault(media.Canceled, op, context.Canceled)
	case errors.As(err, &tokenErr):
		return media.Faultf(media.Unavailable, op, "no access token: %s", tokenErrorCode(tokenErr))
	default:
		return origin.NetworkFault(op, err)
	}
}

// tokenErrorCode is the machine-readable code of a refusal by the token endpoint (RFC 6749
// section 5.2), or its status. The library reads the code for authorised users only.
func tokenErrorCode(e *oauth2.RetrieveError) string {
	var body struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(e.Body, &body) // what is not JSON has no code
	switch {
	case origin.IsErrorCode(e.ErrorCode):
		return e.ErrorCode
	case origin.IsErrorCode(body.Error):
		return body.Error
	case e.Response != nil:
		return fmt.Sprintf("status %d", e.Response.StatusCode)
	}
	return "refused"
}

func apiFault(op string, e *googleapi.Error) error {
	kind, reason := classify(e)
	text := fmt.Sprintf("status %d", e.Code)
	if more := reasonTexts[reason]; more != "" {
		text += ": " + more
	}
	return &media.Error{Kind: kind, Op: op, Reason: reason, RetryAfter: origin.RetryAfter(e.Header), Err: errors.New(text)}
}

// classify is the Kind and the reason of an error answer. An answer of 400, 401, 403 or 404
// that is not the API's is Unavailable: a page says nothing about the file. So is a 403 of
// the API without a reason.
func classify(e *googleapi.Error) (media.Kind, string) {
	reason, fromAPI := reasonOf(e)
	if kind, ok := reasonKinds[reason]; ok {
		return kind, reason
	}
	switch e.Code {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		if !fromAPI {
			return media.Unavailable, ReasonNotAPI
		}
		if e.Code == http.StatusForbidden && reason == "" {
			return media.Unavailable, ""
		}
	}
	return statusKind(e.Code), reason
}

// reasonOf is the machine-readable reason of an API error, or "". fromAPI reports whether
// the body is the API's error body at all, in its older form (errors[].reason) or its newer
// (details[].reason and status, https://google.aip.dev/193).
func reasonOf(e *googleapi.Error) (reason string, fromAPI bool) {
	for _, item := range e.Errors {
		if origin.IsErrorCode(item.Reason) {
			return item.Reason, true
		}
	}
	var body struct {
		Error *struct {
			Status  string `json:"status"`
			Details []struct {
				Reason string `json:"reason"`
			} `json:"details"`
		} `json:"error"`
	}
	if json.Unmarshal([]byte(e.Body), &body) != nil || body.Error == nil {
		return "", false
	}
	for _, detail := range body.Error.Details {
		if origin.IsErrorCode(detail.Reason) {
			return detail.Reason, true
		}
	}
	if origin.IsErrorCode(body.Error.Status) {
		return body.Error.Status, true
	}
	return "", true
}

// statusKind classifies a status whose reason says nothing more.
func statusKind(status int) media.Kind {
	switch {
	case status == http.StatusTooManyRequests, status >= 500:
		return media.Unavailable
	case status == http.StatusUnauthorized: // with a fresh token: the credentials may be repaired
		return media.Unavailable
	case status == http.StatusForbidden:
		return media.Denied
	case status == http.StatusNotFound:
		return media.NotFound
	case status == http.StatusRequestTimeout:
		return media.Timeout
	case status == http.StatusRequestedRangeNotSatisfiable:
		return media.Changed // the size is not what it was
	case status >= 400:
		return media.Invalid
	default:
		return media.Corrupt
	}
}
