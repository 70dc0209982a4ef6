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
//	ok ──slip──▶ suspect ──slip, fault──▶ bypass ──time──▶ probing ──good──▶ ok
//	 │ ▲            │                      ▲  ▲               │
//	 │ └────good────┘                      │  └─slip, fault───┘
//	 └──────────────────fault──────────────┘
//
// A fault cannot pass by itself: no space, read-only, an I/O error. A slip may: a
// write that took too long, or failed for another reason. In bypass and while
// probing nothing is stored; what is there is still served.
type diskState uint8

const (
	diskOK diskState = iota
	diskSuspect
	diskBypass
	diskProbing
)

var diskStates = [...]string{"ok", "suspect", "bypass", "probing"}

func (s diskState) String() string { return diskStates[s] }

// diskNews is what may move the state.
type diskEvent uint8

const (
	writeOK    diskEvent = iota // a write went well
	writeSlip                   // one did not, and the next may
	writeFault                  // one did not, and the next will not
	probeDue                    // it is time to try again
)

// after is the one transition function.
func (s diskState) after(news diskEvent) diskState {
	switch {
	case s == diskOK && news == writeSlip:
		return diskSuspect
	case s == diskSuspect && news == writeSlip, news == writeFault, s == diskProbing && news == writeSlip:
		return diskBypass
	case s == diskSuspect && news == writeOK, s == diskProbing && news == writeOK:
		return diskOK
	case s == diskBypass && news == probeDue:
		return diskProbing
	default:
		return s // what was under way before a bypass says nothing of now
	}
}

// writable tells whether new chunks may be stored.
func (s diskState) writable() bool { return s == diskOK || s == diskSuspect }

// health is guarded by Cache.mu.
type health struct {
	state   diskState
	probing bool // a goroutine tries the disk
}

// errSlow is a write that took longer than a viewer would wait.
var errSlow = errors.New("the disk is slow")

// lasting are the faults that the next write would meet as well.
var lasting = []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS, syscall.EACCES, syscall.EPERM, syscall.EMFILE, syscall.ENFILE}

func diskEventOf(err error) diskEvent {
	for _, l := range lasting {
		if errors.Is(err, l) {
			return writeFault
		}
	}
	return writeSlip
}

// diskFault notes that the disk failed us; c.mu is not held.
func (c *Cache) diskFault(op string, err error) {
	c.mu.Lock()
	before, now := c.setHealth(diskEventOf(err))
	if now == diskBypass && !c.health.probing && !c.closed {
		c.health.probing = true
		c.running.Go(c.probe)
	}
	c.mu.Unlock()
	if before != now {
		c.log.Warn("the cache's disk has a fault", slog.String("state", now.String()), slog.String("op", op), slog.Any("error", err))
	}
}

// tell moves the state; c.mu is held.
func (c *Cache) setHealth(news diskEvent) (before, now diskState) {
	before = c.health.state
	c.health.state = before.after(news)
	return before, c.health.state
}

// diskGood notes that a write went well; c.mu is held.
func (c *Cache) writeSucceeded() {
	if c.health.state == diskSuspect {
		c.setHealth(writeOK)
	}
}

// probeEvery is how often a sick disk is tried, and slowWrite how long a chunk's
// write may take on a well one.
const (
	probeEvery = 3 * time.Second
	slowWrite  = 10 * time.Second
)

// probe writes a little every few seconds until it goes well.
func (c *Cache) probe() {
	c.mu.Lock()
	timer := time.NewTicker(c.probeEvery)
	c.mu.Unlock()
	defer timer.Stop()
	for {
		select {
		case <-c.base.Done():
			return
		case <-timer.C:
		}
		c.mu.Lock()
		c.setHealth(probeDue)
		c.mu.Unlock()
		began := time.Now()
		err := c.tryWrite()
		if err == nil && time.Since(began) > slowWrite {
			err = errSlow
		}
		c.mu.Lock()
		news := writeOK
		if err != nil {
			news = writeFault
		}
		if _, now := c.setHealth(news); now == diskOK {
			c.health.probing = false
			c.mu.Unlock()
			c.log.Info("the cache's disk is well again")
			return
		}
		c.mu.Unlock()
	}
}

// tryWrite writes what a chunk's header takes, where chunks are written.
func (c *Cache) tryWrite() error {
	f, err := c.disk.CreateTemp(c.tmpDir())
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, headerSize))
	if err == nil {
		err = f.Sync() // a full or read-only disk may say so only now
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	return nil
}
