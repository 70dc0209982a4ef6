package cacheadmin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/lectiospace/lectern/internal/cache"
)

// Client implements Operations through a running gateway, the owner of the cache
// directory. Safe for concurrent use.
type Client struct {
	owner cache.Owner
}

// NewClient prepares a client; owner.Admin is the address of the admin listener.
func NewClient(owner cache.Owner) *Client { return &Client{owner} }

// Connect returns a client of the gateway that owns a cache directory, or nil when no
// process owns it. The error names cache-dir when the directory cannot be read, or when its
// owner has no admin listener yet.
func Connect(dir string) (*Client, error) {
	owner, err := cache.OwnerOf(dir)
	switch {
	case err != nil:
		return nil, err
	case owner == nil:
		return nil, nil
	case owner.Admin == "":
		return nil, fmt.Errorf("cache-dir: %s is in use by a gateway that is just starting, or by another `gateway cache`; try again in a moment", dir)
	default:
		return NewClient(*owner), nil
	}
}

// Stats implements Operations.
func (c *Client) Stats(ctx context.Context) (s cache.Stats, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url("stats"), nil)
	if err != nil {
		return s, err
	}
	res, err := c.do(req)
	if err != nil {
		return s, err
	}
	defer res.Body.Close()
	err = json.NewDecoder(res.Body).Decode(&s)
	return s, err
}

// Warm implements Operations.
func (c *Client) Warm(ctx context.Context, ids []int64, report func(Event)) error {
	return c.post(ctx, "warm", request{Recordings: ids}, report)
}

// Purge implements Operations.
func (c *Client) Purge(ctx context.Context, ids []int64, report func(Event)) error {
	return c.post(ctx, "purge", request{Recordings: ids}, report)
}

// Verify implements Operations.
func (c *Client) Verify(ctx context.Context, report func(Event)) error {
	return c.post(ctx, "verify", request{}, report)
}

func (c *Client) url(operation string) string {
	return "http://" + c.owner.Admin + "/cache/" + operation
}

// post sends a request and passes the events of its answer on. An answer without
// eventEnd or eventError means that the gateway ended during the operation.
func (c *Client) post(ctx context.Context, operation string, body request, report func(Event)) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url(operation), bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", jsonType)
	res, err := c.do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		var e Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("the running gateway's answer: %w", err)
		}
		switch e.Event {
		case eventEnd:
			return nil
		case eventError:
			return errors.New(e.Text)
		}
		report(e)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.New("the running gateway ended during the operation")
}

// do sends a request; answers other than 200 are errors.
func (c *Client) do(req *http.Request) (*http.Response, error) {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the gateway that owns the cache directory (process %d) does not answer on its admin listener: %w", c.owner.PID, err)
	}
	if res.StatusCode != http.StatusOK {
		defer res.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(res.Body, 300))
		return nil, fmt.Errorf("the running gateway answered %s: %s", res.Status, bytes.TrimSpace(text))
	}
	return res, nil
}
