// Package ingest brings a lesson's recording into the archive: it plans which files
// are its parts, downloads them, joins them, uploads the result, verifies the
// archive's checksum, and publishes the recording in one transaction; captions and
// Zoom's trash follow.
//
// An ingest is requested with Ingester.Request, by the code that learns that a meeting was
// recorded, and runs as a job. A run holds the ingest's lease: every step is written
// only while that is so, so that a syncer that was taken for dead changes nothing when
// it wakes. A run continues from wherever an earlier one has ended. The states of an
// ingest, and what changes them, are in package store: see store.State.
//
// The plan, the order of joining and the classification of errors are pure functions.
package ingest
