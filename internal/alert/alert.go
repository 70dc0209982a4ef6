// Package alert tells operators what needs them: through shoutrrr's services
// (Telegram, Slack, SMTP, …) or as JSON to a plain URL.
package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nicholas-fedor/shoutrrr"

	"github.com/lectiospace/lectern/internal/media"
)

// Config of alerts.
type Config struct {
	// URLs are shoutrrr's, or plain http(s) URLs that get JSON; they hold tokens.
	URLs []string `name:"urls" secret:"" reload:"" sep:" " placeholder:"URL" help:"Where alerts are sent, separated by blanks: shoutrrr URLs, or plain http(s) URLs that get JSON by POST. Without one, alerts are in the log only."`
}

// Check refuses what no alert could be sent to, without quoting it.
func (c Config) Check() error {
	for i, target := range c.targets() {
		if plain(target) {
			continue
		}
		if _, err := shoutrrr.CreateSender(target); err != nil {
			return fmt.Errorf("alert-urls: number %d is neither a shoutrrr URL nor http(s)", i+1)
		}
	}
	return nil
}

// targets takes lists apart that were separated by commas or line ends.
func (c Config) targets() []string {
	var out []string
	for _, one := range c.URLs {
		for part := range strings.FieldsSeq(one) {
			if part = strings.Trim(part, ","); part != "" {
				out = append(out, part)
			}
		}
	}
	return out
}

func plain(target string) bool {
	u, err := url.Parse(target)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// Message is one alert. The texts say what, since when, and what to do.
type Message struct {
	Key      string    `json:"key"`   // what it is about; the same while it is the same trouble
	State    string    `json:"state"` // firing, resolved
	Severity string    `json:"severity"`
	Title    string    `json:"title"`
	Text     string    `json:"text"`
	Since    time.Time `json:"since"`
	At       time.Time `json:"at"`
}

// The states of a message.
const (
	Firing   = "firing"
	Resolved = "resolved"
)

// Sender sends alerts. Safe for concurrent use.
type Sender struct {
	targets atomic.Pointer[[]string]
	client  *http.Client
}

// NewSender prepares a sender; without URLs it sends nothing.
func NewSender(cfg Config) *Sender {
	s := &Sender{client: &http.Client{Timeout: 20 * time.Second}}
	s.SetTargets(cfg)
	return s
}

// SetTargets replaces where alerts go.
func (s *Sender) SetTargets(cfg Config) {
	targets := cfg.targets()
	s.targets.Store(&targets)
}

// Any reports whether there is anybody to tell.
func (s *Sender) Any() bool { return len(*s.targets.Load()) > 0 }

// Send tells everybody. When some could not be told the error says how many: the
// URLs themselves hold tokens.
func (s *Sender) Send(ctx context.Context, m Message) error {
	failed, last, targets := 0, error(nil), *s.targets.Load()
	for _, target := range targets {
		var err error
		if plain(target) {
			err = s.post(ctx, target, m)
		} else {
			err = shout(target, m)
		}
		if err != nil {
			failed++
			last = err
		}
	}
	if failed == 0 {
		return nil
	}
	return media.Faultf(media.Unavailable, "alert", "%d of %d targets were not told: %w", failed, len(targets), last)
}

func (s *Sender) post(ctx context.Context, target string, m Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return errors.New("the URL cannot be used")
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	resp, err := s.client.Do(req)
	if err != nil {
		return errors.New("the connection failed")
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}

// shout sends through shoutrrr, whose errors may quote the URL.
func shout(target string, m Message) error {
	service, _, _ := strings.Cut(target, ":")
	if err := shoutrrr.Send(target, m.Title+"\n"+m.Text); err != nil {
		return fmt.Errorf("the service %q refused it or was not reached", service)
	}
	return nil
}
