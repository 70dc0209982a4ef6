package cacheadmin

import (
	"context"
	"encoding/json"
	"mime"
	"net/http"
)

const (
	jsonType  = "application/json"
	linesType = "application/x-ndjson"
	// maxRequest bounds the body of a request, in bytes.
	maxRequest = 1 << 20
)

// request is the body of a POST.
type request struct {
	Recordings []int64 `json:"recordings"`
}

// Handle registers the protocol's routes: GET /cache/stats, and POST /cache/warm,
// /cache/purge and /cache/verify. A POST has to be application/json: a web page that
// an operator happens to have open cannot send that across origins without a
// preflight, which is refused.
func Handle(ops Operations, handle func(pattern string, h http.Handler)) {
	handle("GET /cache/stats", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stats, err := ops.Stats(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", jsonType)
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(stats) // the client may be gone
	}))
	handle("POST /cache/warm", stream(func(ctx context.Context, req request, report func(Event)) error {
		return ops.Warm(ctx, req.Recordings, report)
	}))
	handle("POST /cache/purge", stream(func(ctx context.Context, req request, report func(Event)) error {
		return ops.Purge(ctx, req.Recordings, report)
	}))
	handle("POST /cache/verify", stream(func(ctx context.Context, _ request, report func(Event)) error {
		return ops.Verify(ctx, report)
	}))
}

// stream answers with one line of JSON for each event, the last of them eventEnd or
// eventError. The operation is cancelled when the client hangs up.
func stream(run func(context.Context, request, func(Event)) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != jsonType {
			http.Error(w, "send the request as application/json", http.StatusUnsupportedMediaType)
			return
		}
		var req request
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&req); err != nil {
			http.Error(w, "the body is no JSON object with recordings: "+err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", linesType)
		lines, flush := json.NewEncoder(w), http.NewResponseController(w)
		report := func(e Event) {
			_ = lines.Encode(e) // a client that is gone ends the request's context
			_ = flush.Flush()
		}
		if err := run(r.Context(), req, report); err != nil {
			report(Event{Event: eventError, Text: err.Error(), Failed: true})
			return
		}
		report(Event{Event: eventEnd})
	})
}
