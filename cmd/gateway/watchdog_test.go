package main

import (
	"context"
	"os"
	"syscall"
	"testing"

	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/telemetry"
	"github.com/lectiospace/lectern/internal/telemetry/systemdtest"
)

// serveUntilStuck serves as `gateway serve` does. SIGUSR1 locks the cache for good.
func serveUntilStuck() {
	var cli CLI
	if _, err := config.Parse("gateway", description, &cli, os.Args[1:], os.Environ(), os.Stdout, os.Stderr); err != nil {
		panic(err)
	}
	svc, err := assemble(context.Background(), &cli.Settings, telemetry.NewLogger(cli.Log, os.Stderr))
	if err != nil {
		panic(err)
	}
	systemdtest.LockOnSignal(systemdtest.Mutex(svc.cache, "mu"))
	public, admin, err := telemetry.Listen(cli.Listen, cli.AdminListen)
	if err != nil {
		panic(err)
	}
	if err := svc.serve(context.Background(), public, admin); err != nil {
		panic(err)
	}
}

// TestWatchdogRestartsAHangingGateway: pings come while the gateway is healthy, and end
// when the cache's lock is stuck although /healthz still answers, or when nothing in the
// process runs. The service manager kills it then, and the next one serves.
func TestWatchdogRestartsAHangingGateway(t *testing.T) {
	for _, hang := range []systemdtest.Hang{
		{Name: "stuck cache lock", Env: "LECTERN_TEST_PROCESS=stuck", Signal: syscall.SIGUSR1, Answers: true},
		{Name: "stopped process", Env: "LECTERN_TEST_PROCESS=gateway", Signal: syscall.SIGSTOP, Terminates: true},
	} {
		t.Run(hang.Name, func(t *testing.T) {
			t.Parallel()
			systemdtest.TestRestart(t, hang,
				"LECTERN_DATA_DIR="+t.TempDir(), "LECTERN_AUTH_JWT_SECRET="+testSecret, "LECTERN_CACHE_MIN_FREE=0",
				"LECTERN_LISTEN=127.0.0.1:0", "LECTERN_ADMIN_LISTEN=127.0.0.1:0")
		})
	}
}
