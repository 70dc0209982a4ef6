package faults

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/failpoint"
)

// diskFaults are rules of failpoints at the cache's steps in the file system. They hold for
// all gateways of this process at once.
var diskFaults = []struct{ name, rules string }{
	{"no space for temporary files", "cache.create-temp=error(ENOSPC)"},
	{"temporary files cannot be created", "cache.create-temp=error(EIO)"},
	{"the disk is read-only", "cache.create-temp=error(EROFS)\ncache.rename=error(EROFS)\ncache.remove=error(EROFS)\ncache.make-folder=error(EROFS)"},
	{"no descriptors are left", "cache.create-temp=error(EMFILE)\ncache.open=error(EMFILE)"},
	{"no space for a header", "cache.write-header=short(10)"},
	{"headers are torn", "cache.write-header=torn(50)"},
	{"no space for data", "cache.write-data=error(ENOSPC)"},
	{"no space in the middle of data", "cache.write-data=short(1000)"},
	{"no space for a while", "cache.write-data=short(60000)@1-40"},
	{"the quota of the disk is used up", "cache.write-data=error(EDQUOT)"},
	{"data cannot be written", "cache.write-data=error(EIO)"},
	{"a few writes fail", "cache.write-data=error(EIO)@3-9"},
	{"data is torn", "cache.write-data=torn(1000)"},
	{"all of the data is lost", "cache.write-data=torn(0)"},
	{"the tail of data is lost, at times", "cache.write-data=torn(50000)@5-60"},
	{"writes are slow", "cache.write-data=sleep(400ms)"},
	{"one write hangs for long", "cache.write-data=sleep(11s)@2"},
	{"a file cannot be closed", "cache.close=error(EIO)"},
	{"a file cannot be closed for want of space", "cache.close=error(ENOSPC)"},
	{"files cannot be renamed", "cache.rename=error(EIO)"},
	{"folders cannot be created", "cache.rename=error(ENOENT)\ncache.make-folder=error(ENOSPC)"},
	{"what could not be written cannot be removed", "cache.write-data=error(EIO)\ncache.remove-temp=error(EIO)"},
	{"files cannot be opened", "cache.open=error(EIO)"},
	{"files are gone", "cache.open=error(ENOENT)"},
	{"files may not be opened", "cache.open=error(EACCES)"},
	{"opening is slow", "cache.open=sleep(200ms)"},
	{"files cannot be read", "cache.read=error(EIO)"},
	{"reading is slow", "cache.read=sleep(200ms)"},
	{"files cannot be removed", "cache.remove=error(EIO)"},
	{"removing is slow", "cache.remove=sleep(300ms)"},
	{"the free space cannot be measured", "cache.free=error(EIO)"},
	{"everything fails", "cache.create-temp=error(EIO)\ncache.open=error(EIO)\ncache.read=error(EIO)\ncache.remove=error(EIO)\ncache.free=error(EIO)\ncache.stat=error(EIO)\ncache.probe-write=error(EIO)"},
}

// TestDiskCells has the disk of the cache fail in -cells cells, or one for each way if that is
// more: the origin is healthy, so every answer is exact, during the fault and afterwards.
func TestDiskCells(t *testing.T) {
	if !failpoint.Enabled {
		t.Skip("needs the build tag failpoint")
	}
	rules := filepath.Join(t.TempDir(), "rules")
	t.Setenv("LECTERN_FAILPOINTS_FILE", rules) // before the first point is passed
	set := func(text string) {
		t.Helper()
		if err := os.WriteFile(rules+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(rules+".new", rules); err != nil {
			t.Fatal(err)
		}
	}
	// The order is cut off as that of an origin's faults is. What it has of one fault runs at once,
	// since a rule holds for all gateways.
	order := covering(len(diskFaults), *cellSeed, func(place) bool { return false })
	order = order[:min(len(order), max(len(diskFaults), *cellCount))]
	if *oneCell >= 0 {
		order = []int{*oneCell % (len(diskFaults) * len(states) * len(viewers) * len(upstreamKinds))}
	}
	numbers := make([][]int, len(diskFaults))
	run := newPairs(len(diskFaults))
	for _, number := range order {
		p := placeOf(number)
		numbers[p[0]] = append(numbers[p[0]], number)
		run.add(p)
	}
	began, done, failed := time.Now(), 0, 0
	for i, f := range diskFaults {
		set("")
		cells := make([]*cell, len(numbers[i]))
		wrong := make([]string, len(cells))
		each := func(do func(c *cell)) {
			var group sync.WaitGroup
			for j, c := range cells {
				if wrong[j] == "" {
					group.Go(func() { wrong[j] = c.guarded(func() { do(c) }) })
				}
			}
			group.Wait()
		}
		for j, number := range numbers[i] {
			cells[j] = newCell(t, number)
			cells[j].fault = healthy
		}
		each(func(c *cell) {
			dir, err := os.MkdirTemp("", "faults")
			c.must(err)
			c.dir = dir
			c.start()
			c.state.prepare(c)
			if c.viewer.tag {
				c.tag = over(c.gateway.addr, request{method: http.MethodHead})[0].Header.Get("ETag")
			}
		})
		set(f.rules + "\n")
		each(func(c *cell) {
			for range 3 { // what is stored wrongly is served by the second at the earliest
				for _, r := range c.viewer.do(c, c.gateway.addr) {
					if why := c.wrong(r, true); why != "" {
						c.fatalf("during the fault: %s", why)
					}
				}
			}
		})
		set("")
		each(func(c *cell) {
			for range 2 {
				for _, r := range append(c.viewer.do(c, c.gateway.addr), over(c.gateway.addr, request{}, request{recording: otherID})...) {
					if why := c.wrong(r, true); why != "" {
						c.fatalf("after the fault: %s", why)
					}
				}
			}
			if c.state.name != "nothing can be written" && c.state.name != "the cache directory is removed" {
				c.await("the disk to be used again", func() string {
					if c.gateway.diskState() != "ok" {
						return "the disk is " + c.gateway.diskState()
					}
					return ""
				})
			}
			c.checkSlots()
			c.await("an idle gateway", func() string { return c.gateway.idle(c.state.unlinks || i > 0) })
		})
		for j, c := range cells {
			done++
			if c.gateway != nil {
				if err := c.gateway.close(); err != nil && wrong[j] == "" {
					wrong[j] = err.Error()
				}
			}
			if c.upstream != nil {
				c.upstream.close()
			}
			if open := openFiles(c.dir); len(open) > 0 && wrong[j] == "" {
				wrong[j] = fmt.Sprintf("%d files are open after the end: %s", len(open), open[0])
			}
			os.RemoveAll(c.dir)
			if wrong[j] != "" {
				failed++
				t.Errorf("%s: %s; %s; %s, cell %d\n\t%s\n\t%v", f.name, upstreamKinds[c.kind], c.state.name, c.viewer.name, c.number, wrong[j], c.lastLines(4))
			}
		}
	}
	t.Logf("%d cells, %d ways in which a disk fails, %d of %d pairs of a way, a state, a viewer and a kind of origin, seed %d, in %v: %d failed",
		done, len(diskFaults), run.count, run.sum, *cellSeed, time.Since(began).Round(time.Second), failed)
}
