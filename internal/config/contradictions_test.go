package config_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/config"
)

type syncerCLI struct {
	config.SyncerSettings `embed:""`
	Serve                 struct{} `cmd:"" default:"withargs"`
}

// TestContradictions: settings that contradict each other, or that no program of this
// version implements, are refused with the setting to change and the source of its value.
func TestContradictions(t *testing.T) {
	base := []string{"LECTERN_DATA_DIR=/srv/lectern", "LECTERN_AUTH_JWT_SECRET=01234567890123456789012345678901", "LECTERN_ZOOM_WEBHOOK_SECRET=a-webhook-secret"}
	for _, c := range []struct {
		program string // "" means both
		env     string
		setting string // "" means that it is accepted
	}{
		{"", "", ""},
		{"", "LISTEN=127.0.0.1:9000 ADMIN_LISTEN=127.0.0.1:9000", "admin-listen"},
		{"", "LISTEN=127.0.0.1:0 ADMIN_LISTEN=127.0.0.1:0", ""},
		{"", "ORIGIN_DRIVE_SUBJECT=a@b.example", "origin-drive-subject"},
		{"", "ORIGIN_DRIVE_SUBJECT=a@b.example ORIGIN_DRIVE_CREDENTIALS=none", "origin-drive-subject"},
		{"", "ORIGIN_S3_URL=s3://bucket", ""},
		{"", "ORIGIN_S3_URL=s3://bucket?regoin=x", "origin-s3-url"},
		{"", "ORIGIN_S3_URL=s3://bucket ORIGIN_S3_CREDENTIALS=secret", "origin-s3-credentials"},
		{"", "ORIGIN_S3_CREDENTIALS=id:secret", "origin-s3-credentials"},
		{"", "ORIGIN_S3_CREDENTIALS_FILE=/nowhere", "origin-s3-credentials-file"},
		{"", "ORIGIN_AZURE_URL=azblob://container", "origin-azure-url"},
		{"", "ORIGIN_AZURE_CREDENTIALS_FILE=/nowhere", "origin-azure-credentials-file"},
		{"", "ORIGIN_DRIVE_CREDENTIALS=/nowhere/drive.json", "origin-drive-credentials"},
		{"", "SHUTDOWN_DELAY=-1s", "shutdown-delay"},
		{"gateway", "CACHE_DIR=/srv/lectern", "cache-dir"},
		{"gateway", "CACHE_DIR=/srv/x ORIGIN_LOCAL_ROOT=/srv/x/recordings", "cache-dir"},
		{"gateway", "CACHE_DIR=/srv/x ORIGIN_LOCAL_ROOT=/srv/x/../x", "cache-dir"},
		{"gateway", "CACHE_DIR=/srv/x DATABASE_URL=sqlite:///srv/x/lectern.db", "cache-dir"},
		{"gateway", "CACHE_DIR=/srv/x DATABASE_URL=postgres://h/srv/x", ""},
		{"gateway", "CACHE_DIR=/srv/x/cache ORIGIN_LOCAL_ROOT=/srv/x", ""},
		{"gateway", "CACHE_DIR=/srv/recordings2 ORIGIN_LOCAL_ROOT=/srv/recordings", ""},
		{"gateway", "CACHE_SIZE=1MiB CACHE_CHUNK_SIZE=2MiB", "cache-size"},
		{"gateway", "CACHE_SIZE=0", ""},
		{"gateway", "PUBLIC_URL=https://lessons.example/?x=1", "public-url"},
		{"gateway", "PUBLIC_URL=https://me@lessons.example", "public-url"},
		{"gateway", "AUTH_PLAYBACK_SECRET=01234567890123456789012345678901", "auth-playback-secret"},
		{"gateway", "AUTH_AUDIENCE=lectern:playback", "auth-audience"},
		{"gateway", "CACHE_MEMORY=1MiB", "cache-memory"},
		{"syncer", "SYNC_LOOKBACK=1h SYNC_RECONCILE_EVERY=2h", "sync-lookback"},
		{"syncer", "SYNC_WORK_DIR=/srv/lectern/recordings", "sync-work-dir"},
		{"syncer", "SYNC_WORK_DIR=/srv/lectern", "sync-work-dir"},
		{"syncer", "SYNC_DRIVE_FOLDER=1AbCdEfGhIjKlMnOpQrStUvWxYz", "sync-drive-folder"},
		{"syncer", "SYNC_DRIVE_SHARED_DRIVE=0AbCdEfGhIjKlMnOpQ", "sync-drive-shared-drive"},
		{"syncer", "SYNC_DRIVE_FOLDER=1AbCdEfGhIjKlMnOpQrStUvWxYz ORIGIN_DRIVE_CREDENTIALS=none", ""},
		{"syncer", "SYNC_PROVIDER=gdrive", "sync-provider"},
		{"syncer", "SYNC_PROVIDER=s3", "sync-provider"},
		{"syncer", "SYNC_PROVIDER=s3 ORIGIN_S3_URL=s3://bucket", ""},
		{"syncer", "SYNC_PROVIDER=azure", "sync-provider"},
	} {
		env := slices.Clone(base)
		for assignment := range strings.FieldsSeq(c.env) {
			env = append(env, "LECTERN_"+assignment)
		}
		for program, group := range map[string]config.Group{"gateway": &cli{}, "syncer": &syncerCLI{}} {
			if c.program != "" && c.program != program {
				continue
			}
			_, err := config.Parse(program, "", group, nil, env, &bytes.Buffer{}, &bytes.Buffer{})
			if err == nil {
				err = group.ValidateServe()
			}
			var usage *config.Error
			switch {
			case c.setting == "" && err != nil:
				t.Errorf("%s with %q: %v", program, c.env, err)
			case c.setting != "" && (!errors.As(err, &usage) || usage.Setting != c.setting || usage.Source == ""):
				t.Errorf("%s with %q: %v, want an error of %s", program, c.env, err, c.setting)
			}
		}
	}
}
