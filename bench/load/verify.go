package load

import (
	"context"
	"fmt"
)

// Verify asks for the ranges that go wrong most easily, one after another on one
// connection, before anything is measured: a fast server of wrong bytes is not
// fast. Bytes are compared whatever the target asks for.
func Verify(ctx context.Context, t Target) error {
	t.Drop = false
	c, err := Dial(ctx, t)
	if err != nil {
		return err
	}
	defer c.Close()
	size := t.Content.Size()
	for _, at := range []int64{0, 4096, 512 << 10, 1 << 20, 2 << 20, 8 << 20, size / 2, size} {
		for _, length := range []int64{1, 2, 4097, 64<<10 + 1, 1<<20 + 3} {
			off := max(0, min(at-length/2, size-length))
			length = min(length, size-off)
			if _, err := c.Get(t, 0, off, length); err != nil {
				return fmt.Errorf("range %d+%d: %w", off, length, err)
			}
		}
	}
	return c.Drained()
}
