// Package backfill archives recordings of past years that are still at Zoom, behind
// whatever is new.
//
// A backfill is a row per teacher: between which dates, and the first date that is not
// listed yet. One job, which any syncer runs, continues all of them step by step: it lists
// the next month, oldest first since Zoom deletes the oldest first, stores what is listed,
// and requests a few ingests at a time. Everything it knows is in the database, so that it
// can be killed at any time; what was requested already is not requested again.
//
// The ingests run in a queue of their own, within the limits of the latest Start: a rate of
// downloads, and hours of the day.
package backfill
