package pictures

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"os"

	"github.com/lectiospace/lectern/internal/media"
)

// qualities are tried in turn until a picture is small enough.
var qualities = []int{82, 75, 68, 60, 50, 40, 30, 20, 10}

// writeJPEG writes a picture of at most limit bytes in the best quality that fits.
func writeJPEG(path string, picture *image.YCbCr, limit int) error {
	for _, quality := range qualities {
		data, err := encode(picture, quality)
		if err != nil {
			return err
		}
		if len(data) <= limit {
			return os.WriteFile(path, data, 0o600)
		}
	}
	return media.Faultf(media.Other, "pictures: encode", "a picture of %s does not fit into %d bytes", picture.Rect.Size(), limit)
}

func encode(picture *image.YCbCr, quality int) ([]byte, error) {
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture, &jpeg.Options{Quality: quality}); err != nil {
		return nil, fmt.Errorf("encode a picture: %w", err)
	}
	return out.Bytes(), nil
}
