// Package faults has the tests that make everything around a gateway fail while it serves:
// the origin, the disk of the cache, the name server, the line.
//
// A cell is one combination of an origin's fault, what the cache has, what the viewer does and
// the kind of origin. In each, what a viewer gets are exact bytes, a clear error, or a body
// that is cut and looks it: fewer bytes than its Content-Length, all of them right. When the
// fault has ceased the same requests get exact bytes, without a restart, and nothing is left
// behind: no slot, no buffer, no request to the origin, no temporary file, no descriptor.
//
// The suite runs a few cells. A campaign runs as many as are wanted, and each is repeated by its
// number:
//
//	make torture-faults CELLS=1000 SEED=1
//	make torture-faults CELL=4711
//
// NOTES.md has the figures of the last campaign, and what is not covered.
package faults
