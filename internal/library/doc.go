// Package library is the recordings domain as people meet it: lists and pages of
// recordings, edits, quotas, views, captions, and the limit of playbacks.
//
// Reader reads, Editor changes, Views counts who has seen what, PlaybackStarts counts
// starts of playback. Each of them works on the catalog's Store; the SQL of these
// subjects is here, that of the syncer's own tables in syncer/store.
package library
