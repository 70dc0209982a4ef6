package cache

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/lectiospace/lectern/internal/cache/chunkfile"
	"github.com/lectiospace/lectern/internal/failpoint"
)

// diskState is the health of the disk.
//
//	ok ──slip──▶ suspect ──slip, fault──▶ bypass ──probe due──▶ probing ──write ok──▶ ok
//	 │ ▲            │                      ▲  ▲                    │
//	 │ └──write ok──┘                      │  └────slip, fault─────┘
//	 └──────────────────fault──────────────┘
//
// A fault lasts: no space, read-only, an I/O error. A slip may pass: a write that took
// too long, or failed for another reason. In bypass and while probing nothing is
// stored; committed chunks are still served.
type diskState uint8

const (
	diskOK diskState = iota
	diskSuspect
	diskBypass
	diskProbing
)

var diskStates = [...]string{"ok", "suspect", "bypass", "probing"}

func (s diskState) String() string { return diskStates[s] }

// diskEvent is what may change the state.
type diskEvent uint8

const (
	writeOK    diskEvent = iota
	writeSlip            // a write failed, and the next one may succeed
	writeFault           // a write failed, and the next one will fail too
	probeDue
)

// after is the one transition function.
func (s diskState) after(e diskEvent) diskState {
	switch {
	case s == diskOK && e == writeSlip:
		return diskSuspect
	case s == diskSuspect && e == writeSlip, e == writeFault, s == diskProbing && e == writeSlip:
		return diskBypass
	case s == diskSuspect && e == writeOK, s == diskProbing && e == writeOK:
		return diskOK
	case s == diskBypass && e == probeDue:
		return diskProbing
	default:
		return s // a write that began before a bypass says nothing of the disk now
	}
}

// writable reports whether new chunks may be stored.
func (s diskState) writable() bool { return s == diskOK || s == diskSuspect }

// health is guarded by Cache.mu.
type health struct {
	state   diskState
	probing bool // the goroutine of probe runs
}

// errSlow is a write that took longer than a viewer would wait.
var errSlow = errors.New("the disk is slow")

// lasting are the errors that the next write would get as well.
var lasting = []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS, syscall.EACCES, syscall.EPERM, syscall.EMFILE, syscall.ENFILE}

func diskEventOf(err error) diskEvent {
	for _, l := range lasting {
		if errors.Is(err, l) {
			return writeFault
		}
	}
	return writeSlip
}

// diskFault records that a disk operation failed; c.mu is not held.
func (c *Cache) diskFault(op string, err error) {
	c.mu.Lock()
	before, now := c.setHealth(diskEventOf(err))
	if now == diskBypass && !c.health.probing && !c.closed {
		c.health.probing = true
		c.running.Go(c.probe)
	}
	c.mu.Unlock()
	if now == diskBypass {
		c.dropWrites()
	}
	if before != now {
		c.log.Warn("cache: disk fault", slog.String("state", now.String()), slog.String("op", op), slog.Any("error", err))
	}
}

// setHealth applies an event; c.mu is held.
func (c *Cache) setHealth(e diskEvent) (before, now diskState) {
	before = c.health.state
	c.health.state = before.after(e)
	return before, c.health.state
}

// writeSucceeded ends a suspicion; c.mu is held.
func (c *Cache) writeSucceeded() {
	if c.health.state == diskSuspect {
		c.setHealth(writeOK)
	}
}

const (
	// probeEvery is the time between two probes of a disk in bypass.
	probeEvery = 3 * time.Second
	// slowWrite is how long the write of a chunk, or the removal of one, may take on a
	// healthy disk.
	slowWrite = 10 * time.Second
)

// probe writes a little every few seconds until that succeeds.
func (c *Cache) probe() {
	c.mu.Lock()
	ticker := time.NewTicker(c.probeEvery)
	c.mu.Unlock()
	defer ticker.Stop()
	for {
		select {
		case <-c.base.Done():
			return
		case <-ticker.C:
		}
		if c.probeOnce() {
			c.log.Info("cache: disk recovered")
			return
		}
	}
}

// probeOnce reports whether the disk is healthy again; c.mu is not held.
func (c *Cache) probeOnce() bool {
	c.mu.Lock()
	c.setHealth(probeDue)
	c.mu.Unlock()
	began := time.Now()
	result := writeOK
	if err := c.tryWrite(); err != nil || time.Since(began) > slowWrite {
		result = writeFault
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, now := c.setHealth(result); now != diskOK {
		return false
	}
	c.health.probing = false
	return true
}

// tryWrite writes and syncs a file of a header's size in the directory of temp files.
func (c *Cache) tryWrite() error {
	f, err := c.disk.CreateTemp(c.tmpDir())
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = failpoint.Write("cache.probe-write", f, make([]byte, chunkfile.HeaderSize))
	if err == nil {
		err = failpoint.Err("cache.probe-sync")
	}
	if err == nil {
		err = f.Sync() // a full or read-only disk may report it only here
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	return nil
}
