package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// healthy is the fault of an origin that has none.
var healthy = fault{name: "none", invisible: true}

// smallDisk mounts a filesystem of its own of size bytes, where that is allowed.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("lectern-faults", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("mounting a small filesystem, for which root is needed: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// diskCell is a gateway on a directory, whose origin is healthy.
func diskCell(t *testing.T, dir string, number int) *cell {
	t.Helper()
	c := &cell{
		t: t, log: &lockedBuffer{}, tags: map[string]string{}, dir: dir, kind: driveRevisions, fault: healthy,
		content: bytesOfAll[:40*chunkSize+1], next: bytesOfAll[1<<20:][:40*chunkSize-5],
	}
	var err error
	c.upstream, err = newUpstream(c.kind, number)
	c.must(err)
	c.upstream.put(lessonKey, c.content)
	c.upstream.put(otherKey, bytesOfAll[3<<20:][:900_000])
	c.gateway, err = startGateway(gatewayConfig{dir: dir, cacheSize: 64 << 20, memory: 24 * chunkSize, recheck: time.Minute, origin: c.upstream.url(), kind: c.kind, log: c.log})
	c.must(err)
	return c
}

// all reads the lesson and the other recording, whole and in part.
func (c *cell) all() {
	c.t.Helper()
	for _, r := range over(c.gateway.addr, request{}, request{byteRange: "1000000-1200000"}, request{recording: otherID}, request{byteRange: "-100"}) {
		if why := c.wrong(r, true); why != "" {
			c.fatalf("%s", why)
		}
	}
}

// TestFullDisk: a real disk that others keep full while the cache is being written costs no
// viewer a byte, and is used again when there is space.
func TestFullDisk(t *testing.T) {
	c := diskCell(t, smallDisk(t, 6<<20), 1<<20)
	defer c.report(t)
	defer func() { c.must(c.gateway.close()); c.upstream.close() }()
	path := filepath.Join(c.dir, "filler")
	filler, err := os.Create(path)
	c.must(err)
	stop, ended, full := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() { // takes what is free at any time, so that the cache does not see it coming
		defer close(ended)
		defer filler.Close()
		var once sync.Once
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := filler.Write(make([]byte, 4096)); err != nil {
				once.Do(func() { close(full) })
				time.Sleep(time.Millisecond)
			}
		}
	}()
	<-full
	failed := false
	for range 8 {
		c.all()
		failed = failed || c.gateway.diskState() != "ok"
	}
	if n := len(c.gateway.chunkFiles()); n > 10 {
		t.Errorf("%d chunks are on a disk without space", n)
	}
	t.Logf("the disk was found to fail: %v", failed)
	close(stop)
	<-ended
	c.must(os.Remove(path))
	c.await("all chunks on the disk", func() string {
		c.all()
		if n := len(c.gateway.chunkFiles()); n < 41 || c.gateway.diskState() != "ok" {
			return fmt.Sprintf("%d are, the disk is %s", n, c.gateway.diskState())
		}
		return ""
	})
	c.await("an idle gateway", func() string { return c.gateway.idle(false) })
}
