package zoom

import "time"

// WithoutPauses makes retries follow at once.
func (c *Client) WithoutPauses() *Client {
	c.pause = func(int) time.Duration { return 0 }
	return c
}
