package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/google/uuid"
)

// sbom lists what is linked into the programs of a build, as CycloneDX 1.6 in JSON. The
// list comes from the programs themselves.
func (b *buildOf) sbom(r revision) ([]byte, error) {
	version := r.packageVersion()
	product := cyclonedx.Component{
		BOMRef: "lectern", Type: cyclonedx.ComponentTypeApplication, Name: "lectern", Version: version,
		PackageURL: "pkg:golang/github.com/lectiospace/lectern@" + r.version,
		Licenses:   &cyclonedx.Licenses{{License: &cyclonedx.License{ID: "MIT"}}},
	}
	components, edges := []cyclonedx.Component{}, []cyclonedx.Dependency{}
	var names []string
	for _, program := range programs {
		sum := sha256.Sum256(b.programs[program])
		components = append(components, cyclonedx.Component{
			BOMRef: program, Type: cyclonedx.ComponentTypeApplication, Name: program, Version: version,
			Hashes:     &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}},
			Properties: &[]cyclonedx.Property{{Name: "go:architecture", Value: b.architecture}},
		})
		linked := []string{}
		for _, m := range b.modules {
			if slices.Contains(m.programs, program) {
				linked = append(linked, m.purl())
			}
		}
		names = append(names, program)
		edges = append(edges, cyclonedx.Dependency{Ref: program, Dependencies: &linked})
	}
	for _, m := range b.modules {
		components = append(components, m.component())
	}
	bom := cyclonedx.NewBOM()
	bom.SpecVersion, bom.JSONSchema = cyclonedx.SpecVersion1_6, "http://cyclonedx.org/schema/bom-1.6.schema.json"
	bom.Metadata = &cyclonedx.Metadata{
		Timestamp: r.time.Format(time.RFC3339), Component: &product,
		Tools: &cyclonedx.ToolsChoice{Components: &[]cyclonedx.Component{{Type: cyclonedx.ComponentTypeApplication, Name: "lectern-packaging", Version: r.version}}},
	}
	bom.Components, bom.Dependencies = &components, ptr(append([]cyclonedx.Dependency{{Ref: "lectern", Dependencies: &names}}, edges...))
	// A serial number that follows from the content is the same in two builds.
	content, err := encoded(bom)
	if err != nil {
		return nil, err
	}
	bom.SerialNumber = uuid.NewSHA1(uuid.NameSpaceURL, content).URN()
	return encoded(bom)
}

// component is a module in the list.
func (m module) component() cyclonedx.Component {
	licences := cyclonedx.Licenses{}
	for _, id := range m.licenceIDs() {
		licences = append(licences, cyclonedx.LicenseChoice{License: &cyclonedx.License{ID: id}})
	}
	c := cyclonedx.Component{
		BOMRef: m.purl(), Type: cyclonedx.ComponentTypeLibrary, Name: m.path, Version: m.version,
		PackageURL: m.purl(), Licenses: &licences, Scope: cyclonedx.ScopeRequired,
	}
	if m.sum != "" {
		c.Properties = &[]cyclonedx.Property{{Name: "go:sum", Value: m.sum}}
	}
	return c
}

// purl is the package URL of a module, see https://github.com/package-url/purl-spec.
func (m module) purl() string {
	return "pkg:golang/" + m.path + "@" + strings.ReplaceAll(m.version, "+", "%2B")
}

func encoded(bom *cyclonedx.BOM) ([]byte, error) {
	var out bytes.Buffer
	encoder := cyclonedx.NewBOMEncoder(&out, cyclonedx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false)
	err := encoder.Encode(bom)
	return out.Bytes(), err
}

func ptr[T any](v T) *T { return &v }

// sboms writes the list of each architecture beside the packages.
func sboms(r *release, out string) (names []string, err error) {
	for _, b := range r.builds {
		content, err := b.sbom(r.revision)
		if err != nil {
			return nil, err
		}
		name := "lectern_" + r.revision.packageVersion() + "_" + b.architecture + ".cdx.json"
		if err := os.WriteFile(filepath.Join(out, name), content, 0o644); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}
