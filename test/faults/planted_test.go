package faults

import (
	"flag"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/plant"
)

var planted = flag.Int("planted", 0, "run each planted fault with up to so many cells, until one finds it")

// plants are faults of the kind that cells have to find: a text of a file below internal and
// what it is replaced by.
var plants = []struct{ name, file, text, by string }{
	{"checksums of chunk files are not compared", "cache/chunkfile/chunkfile.go",
		"if crc32.Checksum(part, castagnoli) != binary.LittleEndian.Uint32(header[32+4*b:]) {", "if len(header) == 0 {"},
	{"a chunk file may be of another object or chunk", "cache/chunkfile/chunkfile.go",
		"binary.LittleEndian.Uint64(h[16:]) != uint64(c.Index) ||\n", "\n"},
	{"Content-Range is not compared", "origin/response.go",
		"if got != span || total != size {", "if got.Len != span.Len && total != size {"},
	{"a body may be shorter than its range", "origin/verify.go",
		"case errors.Is(err, io.EOF):\n\t\treturn n, media.Fault(media.Corrupt, \"origin: body\", io.ErrUnexpectedEOF)", "case errors.Is(err, io.EOF):\n\t\tclear(p)\n\t\tb.left = 0\n\t\treturn len(p), io.EOF"},
	{"a page may be a recording", "origin/response.go",
		"kind == \"text/html\" || ", ""},
	{"a slot of the origin is not released after a refusal", "origin/limit.go",
		"if err != nil {\n\t\tl.slots.release()\n", "if err != nil {\n"},
	{"a stream's slot is not released after a hang-up", "proxy/stream/exchange.go",
		"if x.admitted {\n\t\tx.h.streams.release()", "if x.admitted && !errors.Is(fault, respond.ErrHangup) {\n\t\tx.h.streams.release()"},
	{"that an object does not exist is remembered", "origin/statcache.go",
		"delete(r.entries, loc)\n\t\treturn had", "r.entries[loc] = statEntry{object: media.Object{Size: -1}, checked: began.Add(time.Hour)}\n\t\treturn had"},
	{"a chunk is stored although its fetch failed", "cache/fetch.go",
		"case errors.Is(err, io.EOF) && at < p.hi:\n\t\t\treturn media.Fault(media.Corrupt, \"cache: fetch\", io.ErrUnexpectedEOF)\n\t\tcase err != nil && !errors.Is(err, io.EOF):\n\t\t\treturn err\n", "case err != nil && at < p.hi:\n\t\t\treturn nil\n"},
	{"a file that is damaged while it is open stays in the cache", "cache/committed.go",
		"r.c.invalidate(r.file.entry, why)", ""},
	{"missing bytes are padded", "proxy/stream/resolve.go",
		"case errors.Is(err, io.EOF):\n\t\treturn p, media.Faultf(", "case err != nil && x.streaming.Load():\n\t\treturn media.Piece{Data: make([]byte, min(left, most)), Len: min(left, most)}, nil\n\tcase errors.Is(err, io.EOF):\n\t\treturn p, media.Faultf("},
	{"a broken body is continued one byte later", "origin/retry.go",
		"b.remaining.Off+int64(n), b.remaining.Len-int64(n)\n\t\tif b.delivered", "b.remaining.Off+int64(n), b.remaining.Len-int64(n)\n\t\tif err != nil && b.remaining.Len > 1 {\n\t\t\tb.remaining.Off++\n\t\t\tb.remaining.Len--\n\t\t}\n\t\tif b.delivered"},
	{"the origin is never asked again", "origin/retry.go",
		"return failed < r.tries && ", "return false && "},
}

// TestPlantsApply: each planted fault still has a place in the code.
func TestPlantsApply(t *testing.T) {
	for _, p := range plants {
		if _, err := (plant.Fault{File: p.file, Text: p.text, By: p.by}).Source("../../internal"); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
}

// findings read the numbers of cells from a failed run.
var findings = regexp.MustCompile(`\(after (\d+) others\)`)

// TestPlanted: every planted fault is found, and says after how many others of the order.
func TestPlanted(t *testing.T) {
	if *planted == 0 {
		t.Skip("-planted says how many cells each fault may take")
	}
	for _, p := range plants {
		t.Run(p.name, func(t *testing.T) {
			dir := t.TempDir()
			overlay, err := plant.Fault{File: p.file, Text: p.text, By: p.by}.Overlay(dir, "../../internal")
			if err != nil {
				t.Fatal(err)
			}
			program := filepath.Join(dir, "faults.test")
			if out, err := exec.CommandContext(t.Context(), "go", "test", "-overlay", overlay, "-c", "-o", program, ".").CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			out, err := exec.CommandContext(t.Context(), program, "-test.run=^TestCells$", "-failures=1",
				"-cells="+strconv.Itoa(*planted), "-seed="+strconv.FormatUint(*cellSeed, 10)).CombinedOutput()
			found := findings.FindSubmatch(out)
			if err == nil || found == nil {
				t.Fatalf("no cell of %d finds it: %v\n%s", *planted, err, out)
			}
			line, _, _ := strings.Cut(string(out)[strings.Index(string(out), "cell "):], "\n\trepeat")
			t.Logf("found after %s other cells: %s", found[1], line)
		})
	}
}
