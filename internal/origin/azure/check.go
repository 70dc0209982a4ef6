package azure

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/media"
)

// Action is something that a role or a signature allows.
type Action string

// The actions that are checked.
const (
	ActionList   Action = "list"
	ActionRead   Action = "read"
	ActionWrite  Action = "write"
	ActionDelete Action = "delete"
)

// ActionError is why an action failed; its cause has a Kind.
type ActionError struct {
	Action Action
	Err    error
}

// Error implements error.
func (e *ActionError) Error() string { return string(e.Action) + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ActionError) Unwrap() error { return e.Err }

func actionFault(action Action, err error) error {
	if err == nil {
		return nil
	}
	return &ActionError{action, err}
}

// Access is what CheckAccess has seen.
type Access struct {
	// Account and Container are what was reached.
	Account, Container string
	// Read reports whether a byte of a blob was read. There may be none.
	Read bool
	// Date is the first answer's date, by the service's clock; zero when it has none.
	Date time.Time
}

// CheckAccess lists the first blob below the prefix and reads one byte of it. Each request is
// sent once. An error is an *ActionError. The date is returned with an error too.
func (o *Origin) CheckAccess(ctx context.Context) (Access, error) {
	out := Access{Account: o.place.account, Container: o.place.container}
	one := int32(1)
	var resp *http.Response
	pager := o.container.Load().NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &o.place.prefix, MaxResults: &one})
	page, err := pager.NextPage(policy.WithCaptureResponse(ctx, &resp))
	if resp != nil {
		out.Date, _ = http.ParseTime(resp.Header.Get("Date")) // zero when there is none
	}
	if err != nil {
		return out, actionFault(ActionList, fault("azure: list", err))
	}
	if page.Segment == nil {
		return out, actionFault(ActionList, media.Faultf(media.Corrupt, "azure: list", "the answer holds no list"))
	}
	for _, item := range page.Segment.BlobItems {
		if item.Properties != nil && value(item.Properties.ContentLength) > 0 {
			out.Read = true
			return out, actionFault(ActionRead, o.readByte(ctx, value(item.Name)[len(o.place.prefix):]))
		}
	}
	return out, nil
}

// readByte reads the first byte of a blob in the way of a gateway.
func (o *Origin) readByte(ctx context.Context, key string) error {
	obj, err := o.Stat(ctx, media.Location{Provider: media.ProviderAzure, Key: key})
	if err != nil {
		return err
	}
	body, err := o.Open(ctx, obj, media.Span{Len: 1})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, body)
	return errors.Join(err, body.Close())
}

// CheckWrite uploads a blob of a few bytes as an ingest would, reads it back, and deletes it.
// Each request is sent once. An error is an *ActionError.
func (o *Origin) CheckWrite(ctx context.Context) error {
	a := NewArchive(o)
	a.retry.Tries = 1
	key, err := a.NewKey(ctx, "doctor")
	if err != nil {
		return actionFault(ActionWrite, err)
	}
	err = a.writeAndRead(ctx, key)
	removeErr := archive.WithCleanup(ctx, func(ctx context.Context) error {
		return errors.Join(a.Remove(ctx, key), a.AbortUpload(ctx, key))
	})
	if err == nil {
		err = actionFault(ActionDelete, removeErr)
	}
	return err
}

func (a *Archive) writeAndRead(ctx context.Context, key string) error {
	const op = "azure: check writing"
	item, remove, err := archive.NewProbe(op, key)
	if err != nil {
		return actionFault(ActionWrite, err)
	}
	defer remove()
	stored, err := a.Put(ctx, item)
	if err == nil && !stored.Same(item.Size, item.MD5) {
		err = media.Faultf(media.Corrupt, op, "the blob does not come back as it was written")
	}
	if err != nil {
		return actionFault(ActionWrite, err)
	}
	return actionFault(ActionRead, a.readByte(ctx, key))
}
