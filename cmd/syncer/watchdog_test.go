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

// TestMain lets the test binary be the syncer, for tests that need a process.
func TestMain(m *testing.M) {
	switch os.Getenv("LECTERN_TEST_PROCESS") {
	case "syncer":
		main()
	case "stuck":
		serveUntilStuck()
	default:
		os.Exit(m.Run())
	}
}

// serveUntilStuck serves as `syncer serve` does. SIGUSR1 locks the intake's table of
// tenants, which every webhook needs, for good.
func serveUntilStuck() {
	var cli CLI
	if _, err := config.Parse("syncer", description, &cli, os.Args[1:], os.Environ(), os.Stdout, os.Stderr); err != nil {
		panic(err)
	}
	svc, err := assemble(context.Background(), &cli.SyncerSettings, telemetry.NewLogger(cli.Log, os.Stderr))
	if err != nil {
		panic(err)
	}
	systemdtest.LockOnSignal(systemdtest.Mutex(svc.syncer, "intake", "tenants", "mu"))
	public, admin, err := telemetry.Listen(cli.Listen, cli.AdminListen)
	if err != nil {
		panic(err)
	}
	if err := svc.serve(context.Background(), public, admin); err != nil {
		panic(err)
	}
}

// TestWatchdogRestartsAHangingSyncer: pings come while the syncer is healthy, and end
// when a lock of the intake is stuck although /healthz still answers, or when nothing in
// the process runs. The service manager kills it then, and the next one serves.
func TestWatchdogRestartsAHangingSyncer(t *testing.T) {
	for _, hang := range []systemdtest.Hang{
		{Name: "stuck intake lock", Env: "LECTERN_TEST_PROCESS=stuck", Signal: syscall.SIGUSR1, Answers: true},
		{Name: "stopped process", Env: "LECTERN_TEST_PROCESS=syncer", Signal: syscall.SIGSTOP, Terminates: true},
	} {
		t.Run(hang.Name, func(t *testing.T) {
			t.Parallel()
			systemdtest.TestRestart(t, hang,
				"LECTERN_DATA_DIR="+t.TempDir(), "LECTERN_ZOOM_WEBHOOK_SECRET=a-webhook-secret", "LECTERN_SYNC_WORK_MIN_FREE=0",
				"LECTERN_LISTEN=127.0.0.1:0", "LECTERN_ADMIN_LISTEN=127.0.0.1:0")
		})
	}
}
