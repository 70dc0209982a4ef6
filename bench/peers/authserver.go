package peers

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/auth"
)

// AuthServerCommand is the argument by which the benchmark's own program becomes
// the server that nginx asks who may watch.
const AuthServerCommand = "auth-server"

// startAuthServer starts it as a process of its own, whose cost is nginx's.
func (p *Peer) startAuthServer(ctx context.Context, site *Site, dir string) (addr string, err error) {
	if addr, err = freeAddr(); err != nil {
		return "", err
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	return addr, p.run(ctx, dir, addr, []string{"LECTERN_BENCH_SECRET=" + site.People.Secret}, self, AuthServerCommand, addr)
}

// ServeAuth answers 200 for a good access token and 401 for anything else. Like
// the platform's own check it is one of the token alone: the list of who may see
// a lesson is not looked at, which the gateway does.
func ServeAuth(addr string) error {
	cfg := auth.Config{JWTSecret: os.Getenv("LECTERN_BENCH_SECRET"), QueryTokens: "any", AccessRule: "strict"}
	verifier, err := auth.NewVerifier(cfg, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		return fmt.Errorf("auth server: %w", err)
	}
	server := &http.Server{Addr: addr, ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if _, err := verifier.Verify(r.Context(), token); err != nil {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})}
	return server.ListenAndServe()
}
