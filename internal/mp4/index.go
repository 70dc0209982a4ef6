package mp4

import "encoding/binary"

// index reads the moov box.
func (s *scanner) index() error {
	var movieScale uint32
	err := children(s.r, s.moov.body, s.moov.end, func(b box) error {
		switch b.kind {
		case "mvhd":
			scale, duration, _, err := s.header(b)
			if err != nil {
				return err
			}
			movieScale = scale
			s.file.Duration = toDuration(duration, scale)
		case "mvex":
			s.extendsIndex = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	return children(s.r, s.moov.body, s.moov.end, func(b box) error {
		if b.kind != "trak" {
			return nil
		}
		if len(s.file.Tracks) == maxTracks {
			return refuse(ReasonMalformed, "more than %d tracks", maxTracks)
		}
		t, err := s.track(b, movieScale)
		if err == nil {
			s.file.Tracks = append(s.file.Tracks, t)
		}
		return err
	})
}

// header reads an mvhd or mdhd (sections 8.2.2, 8.4.2): the timescale, the duration in
// its ticks (0 = unknown, which is written as all ones) and the packed language, which
// only an mdhd has. A box too short to hold them gives zeros.
func (s *scanner) header(b box) (scale uint32, duration uint64, language uint16, err error) {
	var buf [34]byte
	p, err := readBody(s.r, b, buf[:])
	switch {
	case err != nil:
		return 0, 0, 0, err
	case len(p) >= 32 && p[0] == 1:
		scale, duration, p = binary.BigEndian.Uint32(p[20:]), binary.BigEndian.Uint64(p[24:]), p[32:]
		if duration == 1<<64-1 {
			duration = 0
		}
	case len(p) >= 20 && p[0] == 0:
		scale, duration, p = binary.BigEndian.Uint32(p[12:]), uint64(binary.BigEndian.Uint32(p[16:])), p[20:]
		if duration == 1<<32-1 {
			duration = 0
		}
	default:
		return 0, 0, 0, nil
	}
	if len(p) >= 2 {
		language = binary.BigEndian.Uint16(p)
	}
	return scale, duration, language, nil
}

// track reads a trak box.
func (s *scanner) track(trak box, movieScale uint32) (Track, error) {
	var t Track
	var tables box
	var edits box
	var walk func(b box) error
	walk = func(b box) error {
		switch b.kind {
		case "tkhd":
			var buf [24]byte
			p, err := readBody(s.r, b, buf[:])
			switch {
			case err != nil:
				return err
			case len(p) >= 24 && p[0] == 1:
				t.ID = binary.BigEndian.Uint32(p[20:])
			case len(p) >= 16:
				t.ID = binary.BigEndian.Uint32(p[12:])
			}
		case "mdia", "minf", "edts":
			// These nest no deeper: the depth of the walk is bounded by their number.
			return children(s.r, b.body, b.end, walk)
		case "elst":
			edits = b
		case "mdhd":
			scale, duration, language, err := s.header(b)
			t.Timescale, t.Duration, t.Language = scale, duration, languageCode(language)
			return err
		case "hdlr":
			var buf [12]byte
			p, err := readBody(s.r, b, buf[:])
			if err != nil || len(p) < 12 {
				return err
			}
			// QuickTime writes a second hdlr, for data references, within minf.
			switch string(p[8:12]) {
			case "vide":
				t.Kind = Video
			case "soun":
				t.Kind = Audio
			}
		case "stbl":
			tables = b
		}
		return nil
	}
	walk = depthGuard(walk)
	if err := children(s.r, trak.body, trak.end, walk); err != nil {
		return t, err
	}
	if t.Kind == Other {
		return t, nil // a flaw in a chapter track keeps nobody from playing the file
	}
	if tables.kind != "" {
		if err := s.sampleTables(tables, &t); err != nil {
			return t, err
		}
	}
	if edits.kind != "" {
		if err := s.editList(edits, movieScale, &t); err != nil {
			return t, err
		}
	}
	return t, nil
}

// depthGuard bounds the recursion of a walk: a box may hold one of its own kind.
func depthGuard(walk func(box) error) func(box) error {
	depth := 0
	return func(b box) error {
		if depth == 8 {
			return refuse(ReasonMalformed, "boxes nest too deep")
		}
		depth++
		defer func() { depth-- }()
		return walk(b)
	}
}

// languageCode unpacks three letters of five bits each; "" for "und" and for the
// numbers of old QuickTime files.
func languageCode(packed uint16) string {
	code := []byte{byte(packed>>10&31) + 0x60, byte(packed>>5&31) + 0x60, byte(packed&31) + 0x60}
	for _, c := range code {
		if c < 'a' || c > 'z' {
			return ""
		}
	}
	if string(code) == "und" {
		return ""
	}
	return string(code)
}
