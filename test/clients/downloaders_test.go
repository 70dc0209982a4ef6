package clients

import (
	"os"
	"path/filepath"
	"testing"
)

// partSize is how much of a download is there when its link turns out to have expired.
const partSize = 3 << 20

// part writes the first bytes of the download.
func (g *gateway) part(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "part")
	if err := os.WriteFile(path, g.download[:partSize], 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func tryCurl(t *testing.T, u user) {
	bearer := "Authorization: Bearer " + u.access(t, "1h")
	plain, link := u.url(downloadPath), u.url(downloadPath+"?token="+u.playback(t, "2", "1h"))
	u.measure(t, "download with a header", downloadSize, 0, 0, func(t *testing.T) string {
		file := filepath.Join(t.TempDir(), "file")
		runs(t, "curl", "-sSf", "-H", bearer, "-o", file, plain)
		u.isDownload(t, file)
		return "exact"
	})
	u.measure(t, "download by a link, cut", downloadSize, 2, 3<<20, func(t *testing.T) string {
		file := filepath.Join(t.TempDir(), "file")
		for range 3 {
			if run(t, "curl", "-sSf", "-C", "-", "-o", file, link).code == 0 {
				break
			}
		}
		u.isDownload(t, file)
		return "exact, resumed twice"
	})
	u.measure(t, "ranges", downloadSize, 0, 0, func(t *testing.T) string {
		for _, c := range []struct {
			ranges string
			want   []byte
		}{{"0-0", u.download[:1]}, {"1048575-1048576", u.download[1048575:1048577]}, {"-5", u.download[downloadSize-5:]}, {"9000000-", u.download[9000000:]}} {
			if out := runs(t, "curl", "-sSf", "-H", bearer, "-r", c.ranges, plain); out.stdout != string(c.want) {
				t.Errorf("%s: %d bytes, want %d", c.ranges, len(out.stdout), len(c.want))
			}
		}
		return "exact"
	})
	expired := u.expired(t, downloadPath)
	u.measure(t, "resume by an expired link", 0, 0, 0, func(t *testing.T) string {
		file := u.part(t)
		run(t, "curl", "-sSf", "-C", "-", "-o", file, expired).refused(t, 22, "401")
		u.unchanged(t, file, partSize)
		return "error 401"
	})
}

func tryWget(t *testing.T, u user) {
	bearer := "--header=Authorization: Bearer " + u.access(t, "1h")
	plain, link := u.url(downloadPath), u.url(downloadPath+"?token="+u.playback(t, "2", "1h"))
	u.measure(t, "download with a header", downloadSize, 0, 0, func(t *testing.T) string {
		file := filepath.Join(t.TempDir(), "file")
		runs(t, "wget", "--no-config", "-nv", bearer, "-O", file, plain)
		u.isDownload(t, file)
		return "exact"
	})
	u.measure(t, "download by a link, cut", downloadSize, 2, 3<<20, func(t *testing.T) string {
		file := filepath.Join(t.TempDir(), "file")
		runs(t, "wget", "--no-config", "-nv", "-c", "--tries=5", "--waitretry=0", "-O", file, link)
		u.isDownload(t, file)
		return "exact, resumed twice"
	})
	u.measure(t, "continue a file that is whole", downloadSize, 0, 0, func(t *testing.T) string {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, u.download, 0o644); err != nil {
			t.Fatal(err)
		}
		runs(t, "wget", "--no-config", "-nv", "-c", "-O", file, link) // asks for a range at the end: 416
		u.isDownload(t, file)
		return "nothing to do"
	})
	u.measure(t, "the name of the file", downloadSize, 0, 0, func(t *testing.T) string {
		dir := t.TempDir()
		if out := runIn(t, dir, "wget", "--no-config", "-nv", "--content-disposition", link+"&download=1"); out.code != 0 {
			t.Fatal(out.said("it fails"))
		}
		u.isDownload(t, filepath.Join(dir, "Algebra.mp4"))
		return "exact, Algebra.mp4"
	})
	expired := u.expired(t, downloadPath)
	u.measure(t, "resume by an expired link", 0, 0, 0, func(t *testing.T) string {
		file := u.part(t)
		run(t, "wget", "--no-config", "-c", "--tries=2", "-O", file, expired).refused(t, 6, "401 Unauthorized")
		u.unchanged(t, file, partSize)
		return "error 401"
	})
}

func tryAria2(t *testing.T, u user) {
	aria := func(dir string, more ...string) []string {
		return append([]string{"aria2c", "--no-conf", "-q", "--log=-", "--log-level=warn", "--file-allocation=none", "-x4", "-s4", "-k1M", "--retry-wait=0", "-m10", "-d", dir, "-o", "file"}, more...)
	}
	plain, link := u.url(downloadPath), u.url(downloadPath+"?token="+u.playback(t, "2", "1h"))
	u.measure(t, "four connections, with a header", downloadSize, 0, 0, func(t *testing.T) string {
		dir := t.TempDir()
		runs(t, aria(dir, "--header=Authorization: Bearer "+u.access(t, "1h"), plain)...)
		u.isDownload(t, filepath.Join(dir, "file"))
		return "exact"
	})
	u.measure(t, "four connections by a link, cut", downloadSize, 3, 1<<20, func(t *testing.T) string {
		dir := t.TempDir()
		runs(t, aria(dir, link)...)
		u.isDownload(t, filepath.Join(dir, "file"))
		return "exact, three cuts"
	})
	expired := u.expired(t, downloadPath)
	u.measure(t, "by an expired link", 0, 0, 0, func(t *testing.T) string {
		dir := t.TempDir()
		run(t, aria(dir, expired)...).refused(t, 24, "Authorization failed")
		return "error 401"
	})
}

func tryRclone(t *testing.T, u user) {
	rclone := func(command string, more ...string) []string {
		return append([]string{"rclone", command, "--config=", "--multi-thread-cutoff=1M", "--multi-thread-streams=4", "--retries=2", "--low-level-retries=10", "--stats=0", "-v"}, more...)
	}
	// A path within the backend of HTTP servers is a file where HEAD says so.
	backend := []string{"--http-url", u.url("/api/recordings/2/"), "--http-headers", "Authorization,Bearer " + u.access(t, "1h")}
	for _, cuts := range []int{0, 3} {
		task, outcome := "four streams", "exact"
		if cuts > 0 {
			task, outcome = "four streams, cut", "exact, three cuts"
		}
		u.measure(t, task, downloadSize, cuts, 1<<20, func(t *testing.T) string {
			file := filepath.Join(t.TempDir(), "file")
			runs(t, append(rclone("copyto", ":http:stream", file), backend...)...)
			u.isDownload(t, file)
			return outcome
		})
	}
	u.measure(t, "copyurl by a link", downloadSize, 0, 0, func(t *testing.T) string {
		file := filepath.Join(t.TempDir(), "file")
		runs(t, rclone("copyurl", u.url(downloadPath+"?token="+u.playback(t, "2", "1h")), file)...)
		u.isDownload(t, file)
		return "exact"
	})
	expired := u.expired(t, downloadPath)
	u.measure(t, "copyurl by an expired link", 0, 0, 0, func(t *testing.T) string {
		file := filepath.Join(t.TempDir(), "file")
		run(t, rclone("copyurl", expired, file)...).refused(t, 1, "401 Unauthorized")
		return "error 401"
	})
}
