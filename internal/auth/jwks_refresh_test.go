package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// keyTransport answers for a key server, so that a bubble's clock passes while it does. It
// records when it was asked, and what is still open.
type keyTransport struct {
	mu     sync.Mutex
	answer func(*http.Request) (status int, body io.Reader, err error)
	began  time.Time
	asked  []time.Duration // since began
	accept string

	underWay, open, idleClosed atomic.Int64
}

func (k *keyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	k.underWay.Add(1)
	defer k.underWay.Add(-1)
	k.mu.Lock()
	k.asked = append(k.asked, time.Since(k.began))
	k.accept = r.Header.Get("Accept")
	answer := k.answer
	k.mu.Unlock()
	status, body, err := answer(r)
	if err != nil {
		return nil, err
	}
	k.open.Add(1)
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: &openBody{Reader: body, open: &k.open}, Request: r}, nil
}

func (k *keyTransport) CloseIdleConnections() { k.idleClosed.Add(1) }

func (k *keyTransport) set(answer func(*http.Request) (int, io.Reader, error)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answer = answer
}

// since are the times of the requests after the first n.
func (k *keyTransport) since(n int) []time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.asked[n:])
}

type openBody struct {
	io.Reader
	open *atomic.Int64
	once sync.Once
}

func (b *openBody) Close() error {
	b.once.Do(func() { b.open.Add(-1) })
	return nil
}

func keysAre(document string) func(*http.Request) (int, io.Reader, error) {
	return func(*http.Request) (int, io.Reader, error) { return http.StatusOK, strings.NewReader(document), nil }
}

func statusIs(status int) func(*http.Request) (int, io.Reader, error) {
	return func(*http.Request) (int, io.Reader, error) { return status, strings.NewReader(""), nil }
}

const secretKeysURL = "https://keys.example/secret-path?secret-query"

// newTestJWKS is one as a gateway has it, but for its transport.
func newTestJWKS(lines io.Writer, answer func(*http.Request) (int, io.Reader, error)) (*jwks, *keyTransport) {
	k := &keyTransport{answer: answer, began: time.Now()}
	j := newJWKS(secretKeysURL, slog.New(slog.NewTextHandler(lines, nil)), time.Now)
	j.client.Transport = k
	return j, k
}

// TestJWKSSchedule: keys are fetched every ten minutes; after a failure sooner, with waits that
// double up to a minute, and begin anew after a success.
func TestJWKSSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		document := jwksOf(jwk("one", testKeys().ed, ""))
		j, k := newTestJWKS(io.Discard, statusIs(http.StatusServiceUnavailable))
		j.start(t.Context())
		j.start(t.Context()) // has no effect
		defer j.stop()
		const second = time.Second
		time.Sleep(124 * second)
		if got, want := k.since(0), []time.Duration{0, second, 3 * second, 7 * second, 15 * second, 31 * second, 63 * second, 123 * second}; !slices.Equal(got, want) {
			t.Errorf("fetched at %v while the server is down, want %v", got, want)
		}
		if got := j.generation(); got != 0 {
			t.Errorf("generation %d without keys", got)
		}
		k.set(keysAre(document))
		time.Sleep(60 * second) // at 183 s it succeeds
		n := len(k.since(0))
		time.Sleep(jwksInterval - 2*second)
		if got := k.since(n); len(got) != 0 {
			t.Errorf("fetched at %v, sooner than the interval", got)
		}
		k.set(statusIs(http.StatusServiceUnavailable))
		time.Sleep(6 * second)
		at := 183*second + jwksInterval
		if got, want := k.since(n), []time.Duration{at, at + second, at + 3*second}; !slices.Equal(got, want) {
			t.Errorf("fetched at %v after a success, want %v", got, want)
		}
		if open := k.open.Load(); open != 0 {
			t.Errorf("%d answers are not closed", open)
		}
		if !strings.Contains(k.accept, "application/jwk-set+json") {
			t.Errorf("Accept: %s", k.accept)
		}
	})
}

// TestJWKSHungServer: a key server that does not answer is given up after a while, and asked
// again; look-ups have an answer then. Stop does not wait for it, but for its request's end.
func TestJWKSHungServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		j, k := newTestJWKS(&lines, func(r *http.Request) (int, io.Reader, error) {
			<-r.Context().Done()
			time.Sleep(time.Millisecond) // a connection takes a moment to close
			return 0, nil, r.Context().Err()
		})
		j.start(t.Context())
		began := time.Now()
		_, err := j.lookup(t.Context(), "one")
		if media.KindOf(err) != media.Unavailable || media.RetryAfterOf(err) != jwksTimeout || !strings.Contains(err.Error(), "auth: keys of tokens") {
			t.Errorf("got %v, to be repeated in %v", err, media.RetryAfterOf(err))
		}
		if took := time.Since(began); took < jwksTimeout || took > jwksTimeout+jwksRetryFirst {
			t.Errorf("given up after %v", took)
		}
		time.Sleep(2 * jwksRetryFirst)
		if n := len(k.since(0)); n != 2 {
			t.Errorf("asked %d times", n)
		}
		began = time.Now()
		j.stop()
		if took, n := time.Since(began), k.underWay.Load(); took > time.Second || n != 0 {
			t.Errorf("stopped after %v, with %d requests under way", took, n)
		}
		if n := strings.Count(lines.String(), "keys could not be fetched"); n != 1 {
			t.Errorf("%d failures are logged; the end is none:\n%s", n, lines.String())
		}
		if k.idleClosed.Load() == 0 {
			t.Error("connections are kept after the end")
		}
	})
}

// TestJWKSAsksForUnknownKid: a kid that is not known fetches once in 15 seconds, and the look-up
// has the keys of that fetch.
func TestJWKSAsksForUnknownKid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := testKeys()
		j, k := newTestJWKS(io.Discard, keysAre(jwksOf(jwk("one", keys.ed, ""))))
		j.start(t.Context())
		defer j.stop()
		for i, c := range []struct {
			wait  time.Duration
			asked int
		}{{0, 1}, {jwksMinInterval - 1, 1}, {1, 2}, {jwksMinInterval - 1, 2}, {1, 3}} {
			time.Sleep(c.wait)
			if _, err := j.lookup(t.Context(), "two"); media.RefusalOf(err) == nil || !media.RefusalOf(err).Forged {
				t.Errorf("look-up %d: %v", i, err)
			}
			if n := len(k.since(0)); n != c.asked {
				t.Errorf("look-up %d: asked %d times, want %d", i, n, c.asked)
			}
		}
		k.set(keysAre(jwksOf(jwk("two", keys.ed, ""))))
		time.Sleep(jwksMinInterval)
		set, err := j.lookup(t.Context(), "two")
		if err != nil || !set.contains("two") || j.generation() != 2 {
			t.Errorf("got %v, generation %d", err, j.generation())
		}
		n := len(k.since(0))
		time.Sleep(jwksMinInterval)
		if set, err := j.lookup(t.Context(), "two"); err != nil || !set.contains("two") || len(k.since(n)) != 0 {
			t.Errorf("a known kid: %v, fetched at %v", err, k.since(n))
		}
	})
}

// TestJWKSStopReleasesLookups: a look-up that waits for the fetch after the present one has its
// answer when the refresh stops. Which of two ways the refresh ends is left to chance, hence the
// repetitions.
func TestJWKSStopReleasesLookups(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			j, k := newTestJWKS(io.Discard, keysAre(jwksOf(jwk("one", testKeys().ed, ""))))
			j.start(t.Context())
			time.Sleep(jwksMinInterval)
			k.set(func(r *http.Request) (int, io.Reader, error) {
				<-r.Context().Done()
				return 0, nil, r.Context().Err()
			})
			j.refresh()
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			answer := make(chan error, 1)
			go func() {
				_, err := j.lookup(ctx, "two")
				answer <- err
			}()
			synctest.Wait()
			j.stop()
			if err := <-answer; media.RefusalOf(err) == nil {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestJWKSFaultsInTheLog: why keys could not be fetched is logged with the server's name, never
// with the rest of the URL, which may be a secret. The keys before stay.
func TestJWKSFaultsInTheLog(t *testing.T) {
	document := jwksOf(jwk("two", testKeys().ed, ""))
	for _, c := range []struct {
		name   string
		answer func(*http.Request) (int, io.Reader, error)
		says   string
	}{
		{"another status", func(*http.Request) (int, io.Reader, error) {
			return http.StatusPartialContent, strings.NewReader(document), nil
		}, "status 206"},
		{"no connection", func(*http.Request) (int, io.Reader, error) { return 0, nil, errors.New("connection refused") }, "connection refused"},
		{"a broken answer", func(*http.Request) (int, io.Reader, error) {
			return http.StatusOK, io.MultiReader(strings.NewReader(document), brokenReader{}), nil
		}, "connection reset"},
		{"a long answer", keysAre(document + strings.Repeat(" ", jwksMaxBytes+1-len(document))), fmt.Sprintf("larger than %d bytes", jwksMaxBytes)},
		{"no keys", keysAre(`{"keys":[]}`), "key"},
		{"the longest answer", keysAre(document + strings.Repeat(" ", jwksMaxBytes-len(document))), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var lines bytes.Buffer
				j, k := newTestJWKS(&lines, keysAre(jwksOf(jwk("one", testKeys().ed, ""))))
				j.start(t.Context())
				defer j.stop()
				synctest.Wait()
				k.set(c.answer)
				j.refresh()
				synctest.Wait()
				said := lines.String()
				if failed := strings.Contains(said, "keys could not be fetched"); failed != (c.says != "") || !strings.Contains(said, c.says) || strings.Contains(said, "secret") || strings.Count(said, "host=keys.example") != 2 {
					t.Errorf("the log says %s", said)
				}
				if kept := j.set.Load().contains("one"); kept != (c.says != "") {
					t.Errorf("the keys before are kept: %v", kept)
				}
				if open := k.open.Load(); open != 0 {
					t.Errorf("%d answers are not closed", open)
				}
			})
		})
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

// TestJWKSBadURL: an address that is no URL is said to be none, and is not logged either.
func TestJWKSBadURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		j := newJWKS("https://keys.example\x7f/secret-path", slog.New(slog.NewTextHandler(&lines, nil)), time.Now)
		j.start(context.Background())
		_, err := j.lookup(t.Context(), "one")
		j.stop()
		if said := lines.String(); media.KindOf(err) != media.Unavailable || !strings.Contains(said, "the URL cannot be used") || strings.Contains(said, "secret") {
			t.Errorf("%v, and the log says %s", err, said)
		}
	})
}

// TestJWKSTransport: keys are fetched through the environment's proxy, and idle connections end.
func TestJWKSTransport(t *testing.T) {
	transport := newJWKS(secretKeysURL, quiet(), time.Now).client.Transport.(*http.Transport)
	if transport.Proxy == nil || transport.IdleConnTimeout != time.Minute {
		t.Errorf("proxy set: %v, idle connections end after %v", transport.Proxy != nil, transport.IdleConnTimeout)
	}
}
