// Package derive makes files of recordings: a poster, previews, whatever a recording is
// watched or heard with that Zoom does not give. Each is stored in the archive beside its
// recording, is moved, expired and purged with it, and counts against nobody's quota.
//
// A Maker makes the files of one kind of a recording that is stored on the local disk. All
// else is here: which recordings lack them, where their bytes come from, the upload and its
// verification, what becomes of failures. To add a kind, implement Maker and list it where
// the syncer is constructed.
//
// A new recording is derived from the file that its ingest has just uploaded, which Keep
// moves here. Others are read from the archive once for all kinds that are lacking, at a
// bounded rate. That begins only while nothing is archived in this process. One recording is worked on at a time, by
// processes of the lowest priority. What was made of a recording is known by its source and
// the revision of its Maker: another source, as when a segment is joined later, or a higher
// revision makes it anew.
package derive
