package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/lectiospace/lectern/internal/cache"
)

// The admin listener's /cache/ takes the orders of `gateway cache`. An order is
// POSTed as JSON: a web page that an operator happens to have open cannot do that
// across origins without asking first, and is refused.

// cacheOrder is the body of an order.
type cacheOrder struct {
	Recordings []int64 `json:"recordings"`
}

const jsonType = "application/json"

// handlePages adds the keeper's pages to the admin listener.
func (k cacheKeeper) handlePages(handle func(pattern string, h http.Handler)) {
	handle("GET /cache/stats", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", jsonType)
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(k.chunks.Stats()) // who asked may be gone
	}))
	handle("POST /cache/warm", k.order(func(ctx context.Context, o cacheOrder, tell func(cacheEvent)) error {
		return k.warm(ctx, o.Recordings, tell)
	}))
	handle("POST /cache/purge", k.order(func(ctx context.Context, o cacheOrder, tell func(cacheEvent)) error {
		return k.purge(ctx, o.Recordings, tell)
	}))
	handle("POST /cache/verify", k.order(func(ctx context.Context, _ cacheOrder, tell func(cacheEvent)) error { return k.verify(ctx, tell) }))
}

// order answers with a line of JSON for each event. It ends when the one who
// asked hangs up.
func (k cacheKeeper) order(do func(context.Context, cacheOrder, func(cacheEvent)) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != jsonType {
			http.Error(w, "send the order as application/json", http.StatusUnsupportedMediaType)
			return
		}
		var o cacheOrder
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&o); err != nil {
			http.Error(w, "the order is no JSON object with recordings: "+err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		lines, flush := json.NewEncoder(w), http.NewResponseController(w)
		tell := func(e cacheEvent) {
			_ = lines.Encode(e)
			_ = flush.Flush()
		}
		if err := do(r.Context(), o, tell); err != nil {
			tell(cacheEvent{Event: "error", Text: err.Error(), Failed: true})
			return
		}
		tell(cacheEvent{Event: "end"})
	})
}

// remoteCache gives orders to a running gateway.
type remoteCache struct{ holder cache.Owner }

func (r remoteCache) url(path string) string { return "http://" + r.holder.Admin + "/cache/" + path }

func (r remoteCache) stats(ctx context.Context) (s cache.Stats, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url("stats"), nil)
	if err != nil {
		return s, err
	}
	res, err := r.do(req)
	if err != nil {
		return s, err
	}
	defer res.Body.Close()
	return s, json.NewDecoder(res.Body).Decode(&s)
}

// order passes the gateway's events on.
func (r remoteCache) order(ctx context.Context, path string, ids []int64, tell func(cacheEvent)) error {
	body, err := json.Marshal(cacheOrder{Recordings: ids})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url(path), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", jsonType)
	res, err := r.do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		var e cacheEvent
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("the running gateway's answer: %w", err)
		}
		switch e.Event {
		case "end":
			return nil
		case "error":
			return errors.New(e.Text)
		}
		tell(e)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.New("the running gateway went away in the middle of it")
}

func (r remoteCache) do(req *http.Request) (*http.Response, error) {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the gateway that holds the cache (process %d) does not answer on its admin listener: %w", r.holder.PID, err)
	}
	if res.StatusCode != http.StatusOK {
		defer res.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(res.Body, 300))
		return nil, fmt.Errorf("the running gateway answered %s: %s", res.Status, bytes.TrimSpace(text))
	}
	return res, nil
}
