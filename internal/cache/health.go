package cache

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"time"
)

// diskState is how far the disk is trusted with writes.
//
//	ok ──fault──▶ suspect ──fault──▶ bypass ──time──▶ probing ──good──▶ ok
//	 ▲              │                   ▲                │
//	 └────good──────┘                   └─────bad────────┘
//
// A fault that cannot pass by itself (no space, read-only, an I/O error) goes to
// bypass at once. In bypass and while probing nothing is stored; what is there
// is still served.
type diskState uint8

const (
	diskOK diskState = iota
	diskSuspect
	diskBypass
	diskProbing
)

var diskStates = [...]string{"ok", "suspect", "bypass", "probing"}

func (s diskState) String() string { return diskStates[s] }

// health is guarded by Cache.mu.
type health struct {
	state diskState
}

func (h *health) writable() bool { return h.state == diskOK || h.state == diskSuspect }

// lasting are the faults that the next write would meet as well.
var lasting = []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS, syscall.EACCES, syscall.EPERM, syscall.EMFILE, syscall.ENFILE}

// diskFault notes that the disk failed us; c.mu is not held.
func (c *Cache) diskFault(op string, err error) {
	next := diskBypass
	c.mu.Lock()
	if c.health.state == diskOK && !isLasting(err) {
		next = diskSuspect
	}
	begin := c.enter(next)
	closed := c.closed
	if begin && next == diskBypass && !closed {
		c.running.Go(c.probe)
	}
	c.mu.Unlock()
	if begin {
		c.log.Warn("the cache's disk has a fault", slog.String("state", next.String()), slog.String("op", op), slog.Any("error", err))
	}
}

func isLasting(err error) bool {
	for _, l := range lasting {
		if errors.Is(err, l) {
			return true
		}
	}
	return false
}

// enter is the one transition between disk states; c.mu is held. It reports
// whether something changed.
func (c *Cache) enter(next diskState) bool {
	now := c.health.state
	if now == next || now == diskBypass && next == diskSuspect || now == diskProbing && next != diskOK && next != diskBypass {
		return false
	}
	if now == diskProbing && next == diskBypass {
		return false // the probe itself reports, and tries again
	}
	c.health.state = next
	return true
}

// diskGood notes that a write went well; c.mu is held.
func (c *Cache) diskGood() {
	if c.health.state == diskSuspect {
		c.health.state = diskOK
	}
}

// probe writes a little every few seconds until it goes well.
func (c *Cache) probe() {
	timer := time.NewTicker(probeEvery)
	defer timer.Stop()
	for {
		select {
		case <-c.base.Done():
			return
		case <-timer.C:
		}
		c.setState(diskProbing)
		if err := c.tryWrite(); err != nil {
			c.setState(diskBypass)
			continue
		}
		c.setState(diskOK)
		c.log.Info("the cache's disk is well again")
		return
	}
}

func (c *Cache) setState(s diskState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.health.state = s
}

func (c *Cache) tryWrite() error {
	f, err := c.disk.CreateTemp(c.tmpDir())
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, headerSize))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	return nil
}
