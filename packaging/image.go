package main

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// imageUser is the account that the image runs as. It is a number, so that Kubernetes can
// see that it is not root.
const imageUser = 65532

// image writes one OCI image index with an image for each architecture, as a tar file of
// an OCI image layout: what skopeo calls oci-archive.
func image(r *release, out string) ([]string, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, b := range r.builds {
		img, err := r.imageOf(b)
		if err != nil {
			return nil, fmt.Errorf("image for %s: %w", b.architecture, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        img,
			Descriptor: v1.Descriptor{MediaType: types.OCIManifestSchema1, Platform: &v1.Platform{OS: "linux", Architecture: b.architecture}},
		})
	}
	index = mutate.Annotations(index, r.labels()).(v1.ImageIndex)
	name := "lectern_" + r.revision.packageVersion() + ".oci.tar"
	return []string{name}, r.writeLayout(index, filepath.Join(out, name))
}

// imageOf makes the image of one architecture: one layer.
func (r *release) imageOf(b *buildOf) (v1.Image, error) {
	content, err := r.layer(b)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
		tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(r.level))
	if err != nil {
		return nil, err
	}
	created := v1.Time{Time: r.revision.time}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if img, err = mutate.Append(img, mutate.Addendum{Layer: layer, History: v1.History{Created: created, CreatedBy: "packaging image", Comment: "gateway and syncer"}}); err != nil {
		return nil, err
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Created = "linux", b.architecture, created
	file.Config = v1.Config{
		User:       fmt.Sprintf("%[1]d:%[1]d", imageUser),
		Cmd:        []string{"gateway", "serve"},
		WorkingDir: "/var/lib/lectern",
		StopSignal: "SIGTERM",
		Labels:     r.labels(),
		// A published port reaches no listener of the loopback interface. The admin
		// listener stays there, where healthcheck asks it.
		Env:          []string{"PATH=/usr/bin", "LECTERN_LISTEN=:8080", "LECTERN_DATA_DIR=/var/lib/lectern", "LECTERN_CACHE_DIR=/var/cache/lectern"},
		ExposedPorts: map[string]struct{}{"8080/tcp": {}},
	}
	if img, err = mutate.ConfigFile(img, file); err != nil {
		return nil, err
	}
	return mutate.Annotations(img, r.labels()).(v1.Image), nil
}

// labels say what the image is, in OCI's predefined keys.
func (r *release) labels() map[string]string {
	const key = "org.opencontainers.image."
	return map[string]string{
		key + "title": "Lectern", key + "description": "Lectern: " + summary, key + "licenses": "MIT",
		key + "url": homepage, key + "source": homepage, key + "documentation": homepage + "/blob/main/docs/deployment.md",
		key + "version": r.revision.version, key + "revision": r.revision.commit, key + "created": r.revision.time.Format(time.RFC3339),
	}
}

// layer is the file system of the image: the programs, the authorities of TLS, an account,
// directories that it may write, licences and the list of what is linked in.
func (r *release) layer(b *buildOf) ([]byte, error) {
	t := &tree{source: r.source}
	for _, program := range programs {
		t.add("usr/bin/"+program, 0o755, b.programs[program])
	}
	t.add("etc/ssl/certs/ca-certificates.crt", 0o644, authorities())
	t.add("etc/passwd", 0o644, fmt.Appendf(nil, "root:x:0:0:root:/root:/sbin/nologin\nlectern:x:%[1]d:%[1]d:Lectern:/var/lib/lectern:/sbin/nologin\n", imageUser))
	t.add("etc/group", 0o644, fmt.Appendf(nil, "root:x:0:\nlectern:x:%d:\n", imageUser))
	t.add("etc/nsswitch.conf", 0o644, []byte("hosts: files dns\n"))
	const doc = "usr/share/doc/lectern/"
	bom, err := b.sbom(r.revision)
	t.fail(err)
	t.add(doc+"sbom.cdx.json", 0o644, bom)
	t.add(doc+"LICENSE", 0o644, t.read("LICENSE"))
	t.add(doc+"third-party-licences.txt", 0o644, b.thirdPartyLicences())
	all, err := t.sorted()
	if err != nil {
		return nil, err
	}
	a := newArchive(r.revision.time)
	a.directory("tmp", 0o1777, 0)
	a.directory("var/cache/lectern", 0o750, imageUser)
	a.directory("var/lib/lectern", 0o750, imageUser)
	for _, f := range all {
		a.file(f)
	}
	return a.close()
}

// authorities are the certificates that TLS connections to clouds are checked with:
// Mozilla's, in the version that go.mod pins. The builder's own would differ from machine
// to machine.
func authorities() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a Buffer takes everything
	}
	return out.Bytes()
}

// tagCharacters are those that a tag may not have.
var tagCharacters = regexp.MustCompile(`[^A-Za-z0-9_.-]`)

// writeLayout writes an index as a tar file.
func (r *release) writeLayout(index v1.ImageIndex, path string) error {
	work, err := os.MkdirTemp("", "lectern-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	dir, err := layout.Write(work, empty.Index)
	if err != nil {
		return err
	}
	tag := tagCharacters.ReplaceAllString(r.revision.version, "-")
	if err := dir.AppendIndex(index, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": tag, "io.containerd.image.name": "docker.io/library/lectern:" + tag,
	})); err != nil {
		return err
	}
	t := &tree{source: work}
	t.fail(filepath.WalkDir(work, func(name string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		below, err := filepath.Rel(work, name)
		t.add(below, 0o644, t.read(below))
		return err
	}))
	all, err := t.sorted()
	if err != nil {
		return err
	}
	a := newArchive(r.revision.time)
	for _, f := range all {
		a.file(f)
	}
	content, err := a.close()
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}
