package peers

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/lectiospace/lectern/bench/load"
)

// GatewaySetup is what a gateway has that is not the same for all.
type GatewaySetup struct {
	// Name is the peer's.
	Name string
	// Binary is the program; "" is the working tree's.
	Binary string
	// CacheDir is a cache that is there before the gateway starts and after it stops; "" for an
	// empty one of its own.
	CacheDir string
	// Recordings is how many more recordings have the first lesson's bytes. Viewers watch
	// different ones, from all over the catalog.
	Recordings int
	// EachLogged has a line of access log written for each request, instead of one for what a
	// playback requests within seconds.
	EachLogged bool
}

// Gateway is Lectern as it is deployed: every request carries an access token
// that is verified, and the recording's catalog row and its list of viewers are
// looked at, and the access log is written, by playbacks as it is by default.
func Gateway() Starter { return GatewaySetup{Name: "gateway"}.Starter() }

// GatewayEachLogged is Gateway with a line of access log for each request.
func GatewayEachLogged() Starter {
	return GatewaySetup{Name: "gateway, each logged", EachLogged: true}.Starter()
}

// Starter starts such a gateway.
func (g GatewaySetup) Starter() Starter {
	return Starter{Name: g.Name, Start: func(ctx context.Context, site *Site) (*Peer, error) { return g.start(ctx, site) }}
}

func (g GatewaySetup) start(ctx context.Context, site *Site) (_ *Peer, err error) {
	p := &Peer{Name: g.Name}
	defer func() {
		if err != nil {
			p.Stop()
		}
	}()
	binary := g.Binary
	if binary == "" {
		binary = site.Tools.Gateway
	}
	dir, err := p.folder(site)
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	if p.Admin, err = freeAddr(); err != nil {
		return nil, err
	}
	document := filepath.Join(dir, "catalog.yaml")
	if err := os.WriteFile(document, site.People.catalog(site.Lessons, g.Recordings), 0o600); err != nil {
		return nil, err
	}
	environ := []string{
		"LECTERN_DATA_DIR=" + dir, "LECTERN_LISTEN=" + addr, "LECTERN_ADMIN_LISTEN=" + p.Admin,
		"LECTERN_AUTH_JWT_SECRET=" + site.People.Secret,
		"LECTERN_ORIGIN_DRIVE_CREDENTIALS=none", "LECTERN_ORIGIN_DRIVE_ENDPOINT=" + site.Origin.DriveEndpoint(),
		"LECTERN_CACHE_SIZE=" + strconv.FormatInt(site.CacheBytes, 10),
		"LECTERN_LOG_FORMAT=json",
		// A few people stand for many here.
		"LECTERN_LIMIT_STREAMS_PER_USER=0", "LECTERN_LIMIT_PLAYBACKS_PER_HOUR=1000000",
	}
	if g.EachLogged {
		environ = append(environ, "LECTERN_ACCESS_LOG=request")
	}
	if g.CacheDir != "" {
		// Its chunks are not what their names say: nobody reads them, and nobody may verify them.
		environ = append(environ, "LECTERN_CACHE_DIR="+g.CacheDir, "LECTERN_CACHE_SCRUB_RATE=0")
	}
	apply := exec.CommandContext(ctx, binary, "catalog", "apply", document)
	apply.Env = append(os.Environ(), environ...)
	if out, err := apply.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("gateway catalog apply: %w\n%s", err, out)
	}
	if err := p.run(ctx, dir, addr, environ, binary, "serve"); err != nil {
		return nil, err
	}
	p.Log = filepath.Join(dir, filepath.Base(binary)+".log")
	p.Target = func(l Lesson) load.Target {
		t := load.Target{Addr: addr, Path: streamPath(l.Recording), Headers: site.People.Headers, Content: l.Content}
		if g.Recordings > 0 && l.Recording == site.Lessons[0].Recording {
			for i := range watched {
				t.Paths = append(t.Paths, streamPath(firstFurther+i*g.Recordings/watched))
			}
		}
		return t
	}
	return p, nil
}

const (
	// firstFurther is the id of the first of GatewaySetup.Recordings.
	firstFurther = 1000
	// watched is how many of them are watched.
	watched = 64
)

func streamPath(recording int) string {
	return "/api/recordings/" + strconv.Itoa(recording) + "/stream/"
}

// catalog is the document that gives the people the lessons, and the first of them under
// further ids.
func (p *People) catalog(lessons []Lesson, further int) []byte {
	var b strings.Builder
	b.WriteString("people:\n  - {id: 1, email: teacher@bench.lectern, role: teacher, first_name: T, last_name: T}\n")
	var students []string
	for _, id := range p.ids {
		email := fmt.Sprintf("student%d@bench.lectern", id)
		students = append(students, email)
		fmt.Fprintf(&b, "  - {id: %d, email: %s, role: student, first_name: S, last_name: S}\n", id, email)
	}
	fmt.Fprintf(&b, "groups:\n  - {name: Class, teacher: teacher@bench.lectern, students: [%s]}\n", strings.Join(students, ", "))
	b.WriteString("lessons:\n  - {title: Lesson, group: Class, teacher: teacher@bench.lectern, start: 2026-11-16T10:00:00Z, end: 2026-11-16T11:00:00Z, record: true}\nrecordings:\n")
	all := slices.Clone(lessons)
	for i := range further {
		all = append(all, Lesson{Name: lessons[0].Name, Recording: firstFurther + i, Content: lessons[0].Content})
	}
	for _, l := range all {
		fmt.Fprintf(&b, "  - {id: %d, lesson: Lesson, title: %s, status: ready, visibility: lesson_group, provider: gdrive, key: %s, size: %d, duration: 3600, allowed_groups: [Class]}\n",
			l.Recording, l.Name, l.Name, l.Content.Size())
	}
	return []byte(b.String())
}

// Fetch writes a page to w. Another status than 200 is an error, and its page is not written.
func Fetch(ctx context.Context, url string, w io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	_, err = io.Copy(w, resp.Body)
	return err
}
