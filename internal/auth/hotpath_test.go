package auth_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/auth"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// class is a database with one lesson and a student who may watch it.
type class struct{}

func (class) User(_ context.Context, id int64) (media.User, error) {
	return media.User{ID: id, Role: media.RoleStudent, Active: true}, nil
}

func (class) Recording(_ context.Context, id int64) (media.Recording, error) {
	return media.Recording{ID: id, Title: "Optics", Status: media.StatusReady, Visibility: media.VisibleLessonGroup, OwnerID: 1,
		Location: media.Location{Provider: media.ProviderDrive, Key: "1AbC"}}, nil
}

func (class) Companion(context.Context, int64) (media.Companion, error) {
	return media.Companion{}, nil
}

func (class) Membership(context.Context, int64, media.Recording) (media.Membership, error) {
	return media.Membership{InAllowedGroup: true}, nil
}

func (class) Ping(context.Context) error { return nil }

// newHotPath is the gate as the gateway wires it, the cache of facts included,
// and a token it knows.
func newHotPath(tb testing.TB) (*auth.Authorizer, media.Token) {
	cfg := auth.Config{JWTSecret: "a-secret-of-the-tests-that-is-long-enough-0123456789", QueryTokens: "any", AccessRule: "strict"}
	log := slog.New(slog.DiscardHandler)
	metrics := prometheus.NewRegistry()
	facts, err := catalog.NewCache(class{}, catalog.CacheConfig{MaxStaleness: time.Hour}, log, metrics)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(facts.Stop)
	verifier, err := auth.NewVerifier(cfg, log, time.Now)
	if err != nil {
		tb.Fatal(err)
	}
	gate, err := auth.NewAuthorizer(cfg, verifier, facts, metrics, time.Now)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(gate.Close)
	minter, err := auth.NewMinter(cfg, time.Now)
	if err != nil {
		tb.Fatal(err)
	}
	value, err := minter.Access(42, time.Hour)
	if err != nil {
		tb.Fatal(err)
	}
	token := media.Token{Value: value, From: media.FromHeader}
	// Facts and tokens are kept a moment after they were asked for.
	for range 100 {
		if err := decideOnce(gate, token); err != nil {
			tb.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	return gate, token
}

func decideOnce(gate *auth.Authorizer, token media.Token) error {
	viewer, err := gate.Authenticate(context.Background(), token)
	if err != nil {
		return err
	}
	_, err = gate.Authorize(context.Background(), viewer, 7)
	return err
}

// BenchmarkHotPath is what each range request of a known viewer costs before its
// bytes: token, user, recording, list of viewers, decision, counters.
func BenchmarkHotPath(b *testing.B) {
	gate, token := newHotPath(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := decideOnce(gate, token); err != nil {
			b.Fatal(err)
		}
	}
}

func (class) DerivedFile(context.Context, int64, string) (media.Companion, error) {
	return media.Companion{}, media.Fault(media.NotFound, "test", nil)
}
