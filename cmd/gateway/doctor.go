package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/auth"
	"github.com/lectiospace/lectern/internal/cache"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/doctor"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/drive"
	"github.com/lectiospace/lectern/internal/origin/local"
)

type doctorCommand struct {
	JSON bool `name:"json" help:"Print an array of {check, status, detail, fix} instead of lines."`
}

// doctorPatience bounds each question to somebody else.
const doctorPatience = 20 * time.Second

// Run examines everything and changes nothing: not even a database file is made.
func (c *doctorCommand) Run(ctx context.Context, cli *CLI, term terminal) error {
	e := &examination{Report: &doctor.Report{}, settings: &cli.Settings, running: doctor.Running(ctx, cli.AdminListen)}
	e.configuration()
	e.tokens(ctx)
	e.machine()
	e.database(ctx)
	e.localFiles()
	e.drive(ctx)
	return e.Finish(term.out, c.JSON)
}

// examination is one run of the doctor.
type examination struct {
	*doctor.Report
	settings *config.Settings
	running  bool // a gateway answers on our admin listener
}

func (e *examination) configuration() {
	s := e.settings
	if err := s.ValidateServe(); err != nil {
		e.Fail("configuration", "set it as `gateway --help` says", "%v", err)
	} else {
		e.Pass("configuration", "complete")
	}
	switch u, _ := url.Parse(s.PublicURL); {
	case s.PublicURL == "":
		e.Pass("public url", "taken from each request")
	case u.Scheme != "https" && !isLoopback(u.Hostname()):
		e.Warn("public url", "put TLS in front and set public-url to https://…", "%s is not https: tokens and cookies travel in the clear", s.PublicURL)
	default:
		e.Pass("public url", s.PublicURL)
	}
	var insecure []string
	for _, o := range s.CORS.Origins {
		if u, err := url.Parse(o); err == nil && u.Scheme != "https" && !isLoopback(u.Hostname()) {
			insecure = append(insecure, o)
		}
	}
	switch {
	case len(insecure) > 0:
		e.Warn("cors", "use the https form of these origins", "%s may read answers over plain http", strings.Join(insecure, ", "))
	case len(s.CORS.Origins) == 0:
		e.Pass("cors", "no other web origin may read answers")
	default:
		e.Pass("cors", "%s may read answers", strings.Join(s.CORS.Origins, ", "))
	}
	prefixes, _ := s.TrustedPrefixes() // checked when the settings were read
	for _, p := range prefixes {
		if p.Bits() == 0 {
			e.Warn("trusted proxies", "list only the addresses of your own proxies in trusted-proxies", "%s lets anybody write what address they come from", p)
		}
	}
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// tokens looks at the keys that tokens are verified with.
func (e *examination) tokens(ctx context.Context) {
	cfg := e.settings.Auth
	if cfg.JWTSecret != "" {
		if weak := cfg.Weak(); weak != "" {
			e.Warn("jwt secret", "use a random one, here and in the platform's SECRET_KEY", "the secret %s", weak)
		} else if cfg.Check() == nil {
			e.Pass("jwt secret", "set, %d bytes", len(cfg.JWTSecret))
		}
	}
	if cfg.JWKSURL != "" {
		e.keySet(ctx, cfg)
	}
	if cfg.QueryTokens != "playback" {
		e.Warn("query tokens", "set auth-query-tokens to playback once no player sends access tokens in the address", "access tokens are taken from ?token=, where browsers' histories and proxies' logs keep them")
	} else {
		e.Pass("query tokens", "only playback tokens are taken from ?token=")
	}
}

func (e *examination) keySet(ctx context.Context, cfg auth.Config) {
	const check = "jwks"
	verifier, err := auth.NewVerifier(cfg, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		return // the configuration's own line says so
	}
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	switch n, err := verifier.FetchKeys(ctx); {
	case err != nil:
		e.Fail(check, "check auth-jwks-url and the way there", "the keys cannot be fetched: %v", err)
	case n == 0:
		e.Fail(check, "publish an RS256, ES256 or EdDSA key with a kid", "the key set holds no usable key")
	default:
		e.Pass(check, "%d keys", n)
	}
}

// machine looks at directories, space, ports and limits.
func (e *examination) machine() {
	s := e.settings
	e.WritableDir("data dir", "data-dir", s.DataDir)
	if e.WritableDir("cache dir", "cache-dir", s.Cache.Dir) {
		e.cacheLock()
	}
	e.Space("cache space", "lower cache-size, or give the cache a larger disk", s.Cache.Dir, s.Cache.Size, media.Size(cache.ChunkFileBytes(s.Cache.Dir)), s.Cache.MinFree)
	e.Listener("listen", "listen", s.Listen, e.running)
	e.Listener("admin listen", "admin-listen", s.AdminListen, e.running)
	// A stream holds its connection and a chunk file, or its origin's connection.
	e.OpenFiles(2*s.Limit.Streams+1024, "limit-streams")
}

func (e *examination) cacheLock() {
	const check = "cache lock"
	inUse, err := cache.InUse(e.settings.Cache.Dir)
	switch {
	case err != nil:
		e.Fail(check, "give this user the right to read the directory", "%v", err)
	case inUse && !e.running:
		e.Fail(check, "end the other gateway, or give each its own cache-dir", "%s is in use by a gateway that does not answer on %s", e.settings.Cache.Dir, e.settings.AdminListen)
	case inUse:
		e.Pass(check, "held by the running gateway")
	default:
		e.Pass(check, "free")
	}
}

// database asks whether the catalog can be worked with.
func (e *examination) database(ctx context.Context) {
	const reach, versions = "database", "schema"
	raw := e.settings.DatabaseURL
	if path, ok := strings.CutPrefix(raw, "sqlite://"); ok {
		if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
			if e.WritableDir(reach, "database-url", filepath.Dir(path)) {
				e.Pass(versions, "made when the gateway first starts")
			}
			return
		}
	}
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	store, err := catalog.Open(ctx, raw, slog.New(slog.DiscardHandler))
	if err == nil {
		defer store.Close()
		err = store.Ping(ctx)
	}
	if err != nil {
		e.Fail(reach, "check database-url, that the database runs, and that this user may use it", "%v", err)
		return
	}
	e.Pass(reach, "answers")
	if !e.schema(ctx, store, versions) {
		return
	}
	problems, err := schema.ColumnProblems(ctx, store)
	if err != nil {
		e.Fail("columns", "apply configs/platform/grants.sql for this role", "%v", err)
		return
	}
	for _, p := range problems {
		e.Fail("columns", "bring the platform's schema up to date, or apply configs/platform/grants.sql where a right is missing", p)
	}
	if len(problems) == 0 {
		e.Pass("columns", "all there")
	}
}

// schema says whether the versions are applied; the columns are looked at anyway
// when some tables are there.
func (e *examination) schema(ctx context.Context, store *catalog.Store, check string) (more bool) {
	st, err := schema.StatusOf(ctx, store)
	const up = "run `gateway migrate up`"
	switch {
	case err != nil:
		e.Fail(check, up+", or apply configs/platform/grants.sql for this role", "%v", err)
		return false
	case len(st.Newer) > 0:
		e.Fail(check, "upgrade this program", "the database has version %d, which only a newer Lectern knows", st.Newer[0])
	case len(st.Pending()) == len(st.Migrations):
		e.Fail(check, up, "the database has no schema of Lectern's yet")
		return false
	case len(st.Pending()) > 0:
		e.Fail(check, up, "the database lacks %s", st.Pending()[0])
	default:
		e.Pass(check, "%s, up to date", st.Layout)
	}
	return true
}

func (e *examination) localFiles() {
	const check = "origin local"
	root := e.settings.Origin.Local.Root
	info, err := os.Stat(root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Pass(check, "%s is not there yet: no recordings in a local folder", root)
		return
	case err == nil && !info.IsDir():
		err = errors.New("it is not a directory")
	case err == nil:
		_, err = os.ReadDir(root)
	}
	if err == nil {
		var files *local.Origin
		if files, err = local.New(e.settings.Origin.Local); err == nil {
			files.Close()
		}
	}
	if err != nil {
		e.Fail(check, "give this user the right to read it, or set origin-local-root to another folder", "%s cannot be read: %v", root, err)
		return
	}
	e.Pass(check, "%s can be read", root)
}

// drive gets a token and asks Drive who we are.
func (e *examination) drive(ctx context.Context) {
	const check = "origin drive"
	cfg := e.settings.Origin.Drive
	if cfg.Credentials == "" {
		e.Pass(check, "not configured")
		return
	}
	remote, err := drive.New(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		e.Fail(check, "give the JSON of a service account or an authorised user, or its path", "%v", err)
		return
	}
	defer remote.Close()
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	asked := time.Now()
	account, err := remote.CheckAccess(ctx)
	answered := time.Now()
	switch kind := media.KindOf(err); {
	case kind == media.Denied:
		e.Fail(check, "let the account use the Drive API: enable it in the project, share the folder with the account", "%v", err)
		return
	case kind == media.NotFound:
		e.Warn(check, "check origin-drive-endpoint", "it answers, but knows neither about nor files")
		return
	case err != nil:
		e.Fail(check, "check origin-drive-credentials, origin-drive-endpoint and the way there", "%v", err)
		return
	case account.Email == "":
		e.Pass(check, "answers")
	default:
		e.Pass(check, "answers %s", account.Email)
	}
	e.Clock("Drive", account.Date, asked, answered)
}
