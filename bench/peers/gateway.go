package peers

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/lectiospace/lectern/bench/load"
)

// Gateway is Lectern as it is deployed: every request carries an access token
// that is verified, and the recording's catalog row and its list of viewers are
// looked at; one line of access log is written for each.
func Gateway() Starter {
	return Starter{Name: "gateway", Start: func(ctx context.Context, site *Site) (*Peer, error) {
		return startGateway(ctx, site, "gateway", site.Tools.Gateway)
	}}
}

// GatewayOf is Gateway with a binary of its own, that of another commit for one.
func GatewayOf(name, binary string) Starter {
	return Starter{Name: name, Start: func(ctx context.Context, site *Site) (*Peer, error) {
		return startGateway(ctx, site, name, binary)
	}}
}

func startGateway(ctx context.Context, site *Site, name, binary string) (_ *Peer, err error) {
	p := &Peer{Name: name}
	defer func() {
		if err != nil {
			p.Stop()
		}
	}()
	dir, err := p.folder(site)
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	document := filepath.Join(dir, "catalog.yaml")
	if err := os.WriteFile(document, site.People.catalog(site.Lessons), 0o600); err != nil {
		return nil, err
	}
	environ := []string{
		"LECTERN_DATA_DIR=" + dir, "LECTERN_LISTEN=" + addr, "LECTERN_ADMIN_LISTEN=127.0.0.1:0",
		"LECTERN_AUTH_JWT_SECRET=" + site.People.Secret,
		"LECTERN_ORIGIN_DRIVE_CREDENTIALS=none", "LECTERN_ORIGIN_DRIVE_ENDPOINT=" + site.Origin.DriveEndpoint(),
		"LECTERN_CACHE_SIZE=" + strconv.FormatInt(site.CacheBytes, 10),
		"LECTERN_LOG_FORMAT=json",
		// A few people stand for many here.
		"LECTERN_LIMIT_STREAMS_PER_USER=0", "LECTERN_LIMIT_PLAYBACKS_PER_HOUR=1000000",
	}
	apply := exec.CommandContext(ctx, binary, "catalog", "apply", document)
	apply.Env = append(os.Environ(), environ...)
	if out, err := apply.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("gateway catalog apply: %w\n%s", err, out)
	}
	if err := p.run(ctx, dir, addr, environ, binary, "serve"); err != nil {
		return nil, err
	}
	p.Target = func(l Lesson) load.Target {
		return load.Target{Addr: addr, Path: "/api/recordings/" + strconv.Itoa(l.Recording) + "/stream/", Headers: site.People.Headers, Content: l.Content}
	}
	return p, nil
}

// catalog is the document that gives the people the lessons.
func (p *People) catalog(lessons []Lesson) []byte {
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
	for _, l := range lessons {
		fmt.Fprintf(&b, "  - {id: %d, lesson: Lesson, title: %s, status: ready, visibility: lesson_group, provider: gdrive, key: %s, size: %d, duration: 3600, allowed_groups: [Class]}\n",
			l.Recording, l.Name, l.Name, l.Content.Size())
	}
	return []byte(b.String())
}

// fetch gets a page and throws it away.
func fetch(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", resp.Status)
	}
	return nil
}
