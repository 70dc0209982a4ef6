// Package document applies a YAML document of people, groups, lessons and recordings to
// the catalog, and exports the catalog as such a document.
package document
