package auth

import (
	"context"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/media"
)

// ready is a Directory that knows everything at once.
type ready struct {
	user media.User
	rec  media.Recording
}

func (d *ready) User(context.Context, int64) (media.User, error)           { return d.user, nil }
func (d *ready) Recording(context.Context, int64) (media.Recording, error) { return d.rec, nil }
func (d *ready) Membership(context.Context, int64, media.Recording) (media.Membership, error) {
	return media.Membership{InAllowedGroup: true}, nil
}

func benchGate(b *testing.B) (*Authorizer, media.Token) {
	cfg := Config{JWTSecret: testSecret}
	people := newPeople()
	g, err := NewAuthorizer(cfg, newTestVerifier(b, cfg), &ready{people.users[student], people.recordings[3]}, prometheus.NewRegistry(), atNoon)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(g.Close)
	return g, media.Token{Value: userToken(student), From: media.FromHeader}
}

// BenchmarkRange is what the gate costs each range request of a player.
func BenchmarkRange(b *testing.B) {
	g, tok := benchGate(b)
	ctx := context.Background()
	if _, err := g.Authenticate(ctx, tok); err != nil {
		b.Fatal(err)
	}
	g.verified.cache.Wait()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			viewer, err := g.Authenticate(ctx, tok)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := g.Authorize(ctx, viewer, 3); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRecheck is what the gate costs a running stream twice a second.
func BenchmarkRecheck(b *testing.B) {
	g, tok := benchGate(b)
	viewer, err := g.Authenticate(context.Background(), tok)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := g.Recheck(context.Background(), viewer, 3); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify is the first use of a token.
func BenchmarkVerify(b *testing.B) {
	g, tok := benchGate(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.verifier.Verify(context.Background(), tok.Value); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRefuse is what a forged token costs.
func BenchmarkRefuse(b *testing.B) {
	g, tok := benchGate(b)
	tok.Value = tok.Value[:len(tok.Value)-2] + "AA"
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Authenticate(context.Background(), tok); err == nil {
			b.Fatal("accepted")
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	people := newPeople()
	u, rec := people.users[student], people.recordings[3]
	b.ReportAllocs()
	for b.Loop() {
		if Decide(RuleStrict, u, rec, media.Membership{InAllowedGroup: true}, noon) != nil {
			b.Fatal("refused")
		}
	}
}
