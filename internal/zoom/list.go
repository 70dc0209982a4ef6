package zoom

import (
	"context"
	"errors"
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

// List calls each for every meeting of the account's user that was recorded between the UTC
// dates of from and to, both included. Zoom silently clamps windows that are longer than a
// month, so the time is split into windows. A meeting may come twice. List ends at the first
// error, including each's. An answer that is no list is an error and never an empty list.
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
	From     moment     `json:"from"`
	Next     text       `json:"next_page_token"`
	Meetings *[]Meeting `json:"meetings"`
}

// check refuses an answer without a list. An empty list has meetings: []. Taking anything
// else for an empty list would lose what was recorded in the window.
func (p *pageJSON) check(op string) error {
	if p.Meetings == nil {
		return &media.Error{Kind: media.Corrupt, Op: op, Reason: ReasonNoList, Err: errors.New("the answer holds no list of meetings")}
	}
	return nil
}

// window reads one window page by page. A page token is valid for 15 minutes; when it has
// expired, the window is read again from its start.
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
		for _, m := range *page.Meetings {
			if err := each(m); err != nil {
				return err
			}
		}
		if page.Next == "" {
			// The answer's from shows whether the window was clamped after all. The part before it
			// is then read by itself.
			if page.From.After(from) && !day(page.From.Time).After(to) {
				return c.window(ctx, a, from, day(page.From.Time).AddDate(0, 0, -1), each)
			}
			return nil
		}
		next = string(page.Next)
	}
	return media.Faultf(media.Corrupt, op, "the list does not end")
}
