package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// TestImage reads the image back: what it says of itself, and its files.
func TestImage(t *testing.T) {
	r := fixture(t)
	dir, names := written(t, r, image)
	images := imagesIn(t, read(t, filepath.Join(dir, names[0])))
	if len(images) != 1 || images[runtime.GOARCH] == nil {
		t.Fatalf("images of %v", images)
	}
	config, err := images[runtime.GOARCH].ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != "65532:65532" || strings.Join(config.Config.Cmd, " ") != "gateway serve" || !config.Created.Equal(r.revision.time) || config.OS != "linux" {
		t.Errorf("configuration: %+v", config)
	}
	for label, want := range map[string]string{"version": r.revision.version, "revision": r.revision.commit, "licenses": "MIT", "title": "Lectern"} {
		if got := config.Config.Labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("label %s: %q, want %q", label, got, want)
		}
	}
	files := rootOf(t, images[runtime.GOARCH])
	for path, want := range map[string]struct {
		mode int64
		kind byte
		uid  int
	}{
		"usr/bin/gateway": {0o755, tar.TypeReg, 0}, "usr/bin/syncer": {0o755, tar.TypeReg, 0}, "etc/passwd": {0o644, tar.TypeReg, 0},
		"tmp/": {0o1777, tar.TypeDir, 0}, "var/lib/lectern/": {0o750, tar.TypeDir, imageUser}, "var/cache/lectern/": {0o750, tar.TypeDir, imageUser},
		"usr/share/doc/lectern/sbom.cdx.json": {0o644, tar.TypeReg, 0}, "usr/share/doc/lectern/third-party-licences.txt": {0o644, tar.TypeReg, 0},
	} {
		if f := files[path]; f.Mode != want.mode || f.Typeflag != want.kind || f.Uid != want.uid || !f.ModTime.Equal(r.revision.time) {
			t.Errorf("%s: %+v", path, f.Header)
		}
	}
	if pool := x509.NewCertPool(); !pool.AppendCertsFromPEM(files["etc/ssl/certs/ca-certificates.crt"].content) || len(bytes.Split(files["etc/ssl/certs/ca-certificates.crt"].content, []byte("BEGIN CERT"))) < 50 {
		t.Error("the certificates of authorities cannot be read")
	}
}

// imagesIn unpacks an image layout, has its digests checked, and returns its images by
// architecture.
func imagesIn(t *testing.T, content []byte) map[string]v1.Image {
	t.Helper()
	dir := t.TempDir()
	for _, f := range untar(t, bytes.NewReader(content)) {
		path := filepath.Join(dir, f.Name)
		if f.Typeflag == tar.TypeDir {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(path, f.content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := all.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 || manifest.Manifests[0].Annotations["org.opencontainers.image.ref.name"] == "" {
		t.Fatalf("%+v %v", manifest, err)
	}
	index, err := all.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	if manifest, err = index.IndexManifest(); err != nil {
		t.Fatal(err)
	}
	images := map[string]v1.Image{}
	for _, descriptor := range manifest.Manifests {
		if descriptor.MediaType != types.OCIManifestSchema1 {
			t.Errorf("the manifest is %s", descriptor.MediaType)
		}
		if images[descriptor.Platform.Architecture], err = index.Image(descriptor.Digest); err != nil {
			t.Fatal(err)
		}
	}
	return images
}

// rootOf reads the one layer of an image.
func rootOf(t *testing.T, image v1.Image) map[string]entry {
	t.Helper()
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	files := map[string]entry{}
	for _, f := range untar(t, content) {
		files[f.Name] = f
	}
	return files
}

// static fails the test for a program that needs a loader, and so does not run in the
// image.
func static(t *testing.T, name string, program []byte) {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			loader, _ := io.ReadAll(p.Open())
			t.Errorf("%s needs %s", name, loader)
		}
	}
	if f.Section(".symtab") != nil || f.Section(".debug_info") != nil {
		t.Errorf("%s is not stripped", name)
	}
}
