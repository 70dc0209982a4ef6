package zoom

import (
	"context"
	"errors"
	"fmt"
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
	// opList names the operation in errors.
	opList = "zoom: list recordings"
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
	To       moment     `json:"to"`
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
	next, restarted := "", false
	for range maxPages {
		query := url.Values{
			"from": {from.Format(time.DateOnly)}, "to": {to.Format(time.DateOnly)}, "page_size": {strconv.Itoa(pageSize)},
		}
		if next != "" {
			query.Set("next_page_token", next)
		}
		var page pageJSON
		err := c.call(ctx, opList, a, http.MethodGet, "/users/"+url.PathEscape(a.user())+"/recordings", query, medium, &page)
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
			return c.rest(ctx, a, from, to, page, each)
		}
		next = string(page.Next)
	}
	return media.Faultf(media.Corrupt, opList, "the list does not end")
}

// rest reads what the answer to a window left out. Zoom clamps windows silently, at either
// end, and the answer's from and to are the window that it read. The days before and after
// them are asked for by themselves, except for today, which may not have begun where the
// account is. A window that holds none of the days asked for is an error.
func (c *Client) rest(ctx context.Context, a Account, from, to time.Time, page pageJSON, each func(Meeting) error) error {
	first, last := from, to
	if at := day(page.From.Time); !page.From.IsZero() && at.After(from) {
		first = at
	}
	if at := day(page.To.Time); !page.To.IsZero() && at.Before(to) {
		last = at
	}
	if first.After(to) || last.Before(from) || first.After(last) {
		return &media.Error{Kind: media.Corrupt, Op: opList, Reason: ReasonNoList, Err: fmt.Errorf("the list is of %s to %s, and %s to %s was asked for",
			page.From.Format(time.DateOnly), page.To.Format(time.DateOnly), from.Format(time.DateOnly), to.Format(time.DateOnly))}
	}
	if first.After(from) {
		if err := c.window(ctx, a, from, first.AddDate(0, 0, -1), each); err != nil {
			return err
		}
	}
	if last.Before(to) && last.AddDate(0, 0, 1).Before(day(time.Now())) {
		return c.window(ctx, a, last.AddDate(0, 0, 1), to, each)
	}
	return nil
}
