package intake

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/failpoint"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/zoom"
)

const (
	// maxBody bounds a webhook; Zoom's largest are a few hundred KiB.
	maxBody = 1 << 20
	// storeWithin is when an event that is not stored yet is refused: Zoom waits three
	// seconds for its answer, and sends it again.
	storeWithin = 2500 * time.Millisecond
	// retryAfter is what a refused sender is told, in seconds.
	retryAfter = "5"
)

// Paths are where webhooks are received, each also with a tenant's id appended.
var Paths = []string{"/schedule/api/zoom/webhook/", "/api/zoom/webhook/", "/schedule/webhook/zoom/"}

// Handler serves the webhooks.
func (in *Intake) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, path := range Paths {
		mux.HandleFunc(path, in.webhook(path))
		mux.HandleFunc(strings.TrimSuffix(path, "/"), in.webhook(path))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, "not_found", "Not found.")
	})
	return mux
}

// answered is what a webhook was answered, for the metrics.
type answered struct {
	event, result string
}

func (in *Intake) webhook(prefix string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		a := in.receive(w, r, began, strings.Trim(strings.TrimPrefix(r.URL.Path, strings.TrimSuffix(prefix, "/")), "/"))
		in.metrics.seconds.Observe(time.Since(began).Seconds())
		in.metrics.events.WithLabelValues(eventLabel(a.event), a.result).Inc()
		attrs := []any{slog.String("event", eventLabel(a.event)), slog.String("result", a.result),
			slog.String("tracking_id", clean(r.Header.Get("X-Zm-Trackingid"))), slog.Float64("ms", float64(time.Since(began).Microseconds())/1000)}
		if a.event == "" { // refused before anything was known of its sender
			omitted, logged := in.refusals.next(in.now())
			if !logged {
				return
			}
			if omitted > 0 {
				attrs = append(attrs, slog.Int64("omitted", omitted))
			}
		}
		in.log.Info("webhook", attrs...)
	}
}

// eventLabel keeps the label's values a closed set.
func eventLabel(name string) string {
	switch {
	case name == "":
		return "none"
	case name == zoom.EventValidation || zoom.Handled(name):
		return name
	default:
		return "other"
	}
}

// clean is a header's value as a log may hold it.
func clean(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
}

// receive checks one webhook, in the order from which an unknown sender learns least,
// and answers it.
func (in *Intake) receive(w http.ResponseWriter, r *http.Request, began time.Time, tenantID string) answered {
	ctx, cancel := context.WithTimeout(r.Context(), storeWithin)
	defer cancel()
	sender := tenant{secrets: *in.secrets.Load()}
	if tenantID != "" {
		one, ok, err := in.tenants.lookup(ctx, tenantID)
		switch {
		case err != nil:
			dropUnread(w)
			return in.askAgain(w, "", err)
		case !ok:
			dropUnread(w)
			refuse(w, http.StatusNotFound, "not_found", "Not found.")
			return answered{"", "unknown_tenant"}
		}
		sender = one
	}
	if a, refused := refuseByHeaders(w, r); refused {
		return a
	}
	body, release, err := in.bodies.read(ctx, w, r)
	defer func() { release() }()
	if err != nil {
		return refuseBody(w, err)
	}
	secret, err := sender.secrets.Verify(r.Header.Get("X-Zm-Signature"), r.Header.Get("X-Zm-Request-Timestamp"), body, in.now(), in.deps.Zoom.WebhookTolerance)
	switch {
	case errors.Is(err, zoom.ErrStale):
		refuse(w, http.StatusUnauthorized, "stale_timestamp", "The signed timestamp is too far from now.")
		return answered{"", "stale_timestamp"}
	case err != nil:
		return refuseSignature(w)
	}
	event, err := zoom.ParseEvent(body)
	if err != nil {
		refuse(w, http.StatusBadRequest, "invalid_json", "The body is not a JSON object.")
		return answered{"", "invalid_json"}
	}
	if event.Name == zoom.EventValidation {
		return challenge(w, secret, event)
	}
	if sender.account != "" && event.AccountID != "" && event.AccountID != sender.account {
		in.log.Warn("webhook: ignored, it names another account than its tenant", slog.Int64("teacher", sender.teacher))
		return done(w, event.Name, resultIgnored)
	}
	row := in.eventRow(event, sender.teacher, body)
	ctx, span := in.beginTrace(ctx, r, began, event)
	release() // the row has a copy; others need not wait for the database
	release = func() {}
	failpoint.Here("intake.store")
	result, err := in.batcher.store(ctx, row)
	failpoint.Here("intake.answer")
	endTrace(span, result, err)
	if err != nil {
		return in.askAgain(w, event.Name, err)
	}
	return done(w, event.Name, result)
}

// refuseByHeaders refuses what its headers alone show to be no webhook, before a byte of
// its body is read.
func refuseByHeaders(w http.ResponseWriter, r *http.Request) (_ answered, refused bool) {
	if r.Method != http.MethodPost {
		dropUnread(w)
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, http.StatusMethodNotAllowed, "method_not_allowed", "Method "+strconv.Quote(r.Method)+" not allowed.")
		return answered{"", "method_not_allowed"}, true
	}
	if r.ContentLength > maxBody {
		return refuseBody(w, errBodyTooLarge), true
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		dropUnread(w)
		refuse(w, http.StatusUnsupportedMediaType, "unsupported_media_type", "Only application/json is taken.")
		return answered{"", "unsupported_media_type"}, true
	}
	if !zoom.SignatureShaped(r.Header.Get("X-Zm-Signature"), r.Header.Get("X-Zm-Request-Timestamp")) {
		dropUnread(w)
		return refuseSignature(w), true
	}
	return answered{}, false
}

func refuseSignature(w http.ResponseWriter) answered {
	refuse(w, http.StatusUnauthorized, "invalid_signature", "The signature is missing or invalid.")
	return answered{"", "invalid_signature"}
}

// challenge answers a URL validation, whose signature has been checked like any
// other's.
func challenge(w http.ResponseWriter, secret string, event zoom.Event) answered {
	if !zoom.ValidPlainToken(event.PlainToken) {
		refuse(w, http.StatusBadRequest, "invalid_challenge", "plainToken is not 1 to 128 letters, digits, _ or -.")
		return answered{event.Name, "invalid_challenge"}
	}
	write(w, http.StatusOK, struct {
		Plain     string `json:"plainToken"`
		Encrypted string `json:"encryptedToken"`
	}{event.PlainToken, zoom.AnswerChallenge(secret, event.PlainToken)})
	return answered{event.Name, "accepted"}
}

func done(w http.ResponseWriter, event, result string) answered {
	write(w, http.StatusOK, map[string]string{"status": result})
	return answered{event, result}
}

// askAgain makes Zoom send the webhook again: nothing was stored.
func (in *Intake) askAgain(w http.ResponseWriter, event string, err error) answered {
	in.log.Error("webhook: not stored", slog.String("event", eventLabel(event)), slog.Any("error", err))
	w.Header().Set("Retry-After", retryAfter)
	code := "unavailable"
	if slices.Contains([]media.Kind{media.Unavailable, media.Timeout}, media.KindOf(err)) {
		code = "catalog_unavailable"
	}
	refuse(w, http.StatusServiceUnavailable, code, "The event could not be stored. Send it again.")
	return answered{event, "unavailable"}
}

func refuse(w http.ResponseWriter, status int, code, detail string) {
	write(w, status, struct {
		Detail string `json:"detail"`
		Code   string `json:"code"`
	}{detail, code})
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(body) // the sender may be gone
}
