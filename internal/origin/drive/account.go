package drive

import (
	"context"
	"errors"
	"net/http"
	"time"

	drivev3 "google.golang.org/api/drive/v3"

	"github.com/lectiospace/lectern/internal/media"
)

// Account is the account of the credentials.
type Account struct {
	Email string
	// Limit and Used are the account's storage in bytes; Limit is 0 when there is none.
	Limit, Used int64
	// Date is the response's date, by Drive's clock; zero when it has none.
	Date time.Time
}

// CheckAccess checks the credentials: it fetches a token and calls about.get or, where an
// endpoint does not know that, lists a file. Errors have a Kind and quote no secret.
func (o *Origin) CheckAccess(ctx context.Context) (Account, error) {
	if o.tokens != nil {
		if _, err := o.tokens.Token(); err != nil {
			return Account{}, fault("drive: token", err)
		}
	}
	a, err := o.about(ctx)
	var known *media.Error
	if !errors.As(err, &known) || known.Kind != media.NotFound && known.Reason != ReasonNotAPI {
		return a, err
	}
	call := o.service.Files.List().PageSize(1).SupportsAllDrives(true).IncludeItemsFromAllDrives(true).Fields("files(id)").Context(ctx)
	var list *drivev3.FileList
	err = o.withFreshToken(func() (err error) {
		list, err = call.Do()
		return err
	})
	if err != nil {
		return Account{}, fault("drive: list", err)
	}
	return Account{Date: dateOf(list.Header)}, nil
}

// dateOf is zero when the answer does not say.
func dateOf(h http.Header) time.Time {
	t, _ := http.ParseTime(h.Get("Date"))
	return t
}

func (o *Origin) about(ctx context.Context) (Account, error) {
	call := o.service.About.Get().Fields("user(emailAddress),storageQuota(limit,usage)").Context(ctx)
	var about *drivev3.About
	err := o.withFreshToken(func() (err error) {
		about, err = call.Do()
		return err
	})
	if err != nil {
		return Account{}, fault("drive: about", err)
	}
	a := Account{Date: dateOf(about.Header)}
	if about.User != nil {
		a.Email = about.User.EmailAddress
	}
	if about.StorageQuota != nil {
		a.Limit, a.Used = about.StorageQuota.Limit, about.StorageQuota.Usage
	}
	return a, nil
}
