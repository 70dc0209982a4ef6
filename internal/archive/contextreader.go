package archive

import (
	"context"
	"io"
)

// ContextReader is a reader that ends when its context does.
type ContextReader struct {
	Ctx    context.Context
	Reader io.Reader
}

// Read implements io.Reader.
func (r ContextReader) Read(p []byte) (int, error) {
	if err := r.Ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
