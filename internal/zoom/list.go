package zoom

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

const (
	// pageSize is the largest Zoom gives.
	pageSize = 300
	// windowDays keeps each window within "a month", whichever Zoom means.
	windowDays = 28
	// maxPages ends a list whose page tokens never do.
	maxPages = 1000
)

// List calls each for every meeting of the account's user that was recorded
// between the UTC dates of from and to, both included. Zoom clamps longer windows
// than a month without a word, so the time is cut into windows; a meeting may be
// given twice. It ends at the first error, each's own included.
func (c *Client) List(ctx context.Context, a Account, from, to time.Time, each func(Meeting) error) error {
	last := day(to)
	for first := day(from); !first.After(last); {
		end := first.AddDate(0, 0, windowDays-1)
		if end.After(last) {
			end = last
		}
		if err := c.window(ctx, a, first, end, each); err != nil {
			return err
		}
		first = end.AddDate(0, 0, 1)
	}
	return nil
}

func day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

type pageJSON struct {
	From     moment    `json:"from"`
	Next     text      `json:"next_page_token"`
	Meetings []Meeting `json:"meetings"`
}

// window reads one window page by page. A page token lives 15 minutes; when it is
// over, the window is read again from its start.
func (c *Client) window(ctx context.Context, a Account, from, to time.Time, each func(Meeting) error) error {
	const op = "zoom: list recordings"
	next, restarted := "", false
	for range maxPages {
		query := url.Values{
			"from": {from.Format(time.DateOnly)}, "to": {to.Format(time.DateOnly)}, "page_size": {strconv.Itoa(pageSize)},
		}
		if next != "" {
			query.Set("next_page_token", next)
		}
		var page pageJSON
		err := c.call(ctx, op, a, http.MethodGet, "/users/"+url.PathEscape(a.user())+"/recordings", query, medium, &page)
		switch {
		case err != nil && next != "" && ReasonOf(err) == ReasonBadPage && !restarted:
			next, restarted = "", true
			continue
		case err != nil:
			return err
		}
		for _, m := range page.Meetings {
			if err := each(m); err != nil {
				return err
			}
		}
		if page.Next == "" {
			// The echo tells a window that was clamped after all: what is before it is asked
			// for by itself.
			if page.From.After(from) && !day(page.From.Time).After(to) {
				return c.window(ctx, a, from, day(page.From.Time).AddDate(0, 0, -1), each)
			}
			return nil
		}
		next = string(page.Next)
	}
	return media.Faultf(media.Corrupt, op, "the list does not end")
}
