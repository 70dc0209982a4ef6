package catalog

import (
	"context"
	"time"
)

// SelectRecording is the query of a stream's recording.
const SelectRecording = selectRecording

// WaitForEntries returns when every entry set so far can be read.
func (c *Cache) WaitForEntries() {
	c.users.entries.Wait()
	c.recordings.entries.Wait()
	c.memberships.entries.Wait()
}

// WaitUntilUp returns when the pinger has seen the database answer, or when ctx ends.
func (c *Cache) WaitUntilUp(ctx context.Context) {
	for c.downSince.Load() != 0 && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
}

// SetStatementTimeout replaces the bound of statements without a deadline.
func (s *Store) SetStatementTimeout(d time.Duration) { s.statementTimeout = d }
