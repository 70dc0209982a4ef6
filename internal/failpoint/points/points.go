// Package points lists the failpoints that the code names. A test holds the list against the
// code; tests and builds with the tag failpoint import it, production builds do not.
package points

// Point is a place in the code, and what comes after it.
type Point struct {
	Name string
	// What the code does next, or has just done where it says "after".
	What string
	// Of says that the point is in front of several operations, each with a name of its own.
	Of bool
}

// All are all points.
var All = []Point{
	{Name: "cache.make-directory", What: "the cache's directory is created at the start"},
	{Name: "cache.lock", What: "the directory lock's file is opened"},
	{Name: "cache.record-owner", What: "the owner is written into the lock's file, which is empty"},
	{Name: "cache.clear-temp", What: "temporary files of an earlier run are removed"},
	{Name: "cache.make-temp", What: "the directory of temporary files, which was removed, is created"},
	{Name: "cache.scan", What: "the objects' folders are listed at the start"},
	{Name: "cache.scan-folder", What: "an object's folder is listed"},
	{Name: "cache.scan-remove", What: "a file or folder that is no chunk, or for which the budget has no room, is removed"},
	{Name: "cache.scan-remove-folder", What: "an empty folder that was found is removed"},
	{Name: "cache.create-temp", What: "a chunk's temporary file, or that of a probe, is created"},
	{Name: "cache.write-header", What: "a chunk's header is written"},
	{Name: "cache.write-data", What: "a chunk's data is written"},
	{Name: "cache.close", What: "a chunk's temporary file, complete, is closed"},
	{Name: "cache.rename", What: "a chunk's temporary file is renamed into place"},
	{Name: "cache.make-folder", What: "the folder of an object's first chunk is created"},
	{Name: "cache.made-folder", What: "after the folder of an object's first chunk was created"},
	{Name: "cache.renamed", What: "after a chunk's file was renamed, before the index has it"},
	{Name: "cache.remove-temp", What: "the temporary file of a write that failed is removed"},
	{Name: "cache.remove", What: "a chunk's file is removed, evicted, purged or invalid, or a folder that may be empty"},
	{Name: "cache.removed", What: "after a file was removed, before the budget has its bytes back"},
	{Name: "cache.remove-folder", What: "the folder of an object without chunks is removed"},
	{Name: "cache.open", What: "a chunk's file is opened"},
	{Name: "cache.read", What: "a chunk's file is read, to compare its checksums"},
	{Name: "cache.stat", What: "a file is looked up that the scan has not come to"},
	{Name: "cache.free", What: "the free space of the disk is measured"},
	{Name: "cache.probe-write", What: "the probe of a disk that has failed writes"},
	{Name: "cache.probe-sync", What: "the probe of a disk that has failed syncs"},

	{Name: "db.begin", Of: true, What: "a transaction of a Store begins"},
	{Name: "db.commit", Of: true, What: "a transaction of a Store is committed, or a single statement executed that writes"},
	{Name: "db.committed", Of: true, What: "after that"},
	{Name: "sqlite.commit", What: "SQLite commits a transaction, of whomever"},

	{Name: "intake.store", What: "a verified webhook is handed over to be stored"},
	{Name: "intake.answer", What: "a stored webhook is answered"},

	{Name: "zoom.request", Of: true, What: "a request is sent to Zoom"},
	{Name: "zoom.answer", Of: true, What: "after the head of Zoom's answer has come"},
	{Name: "zoom.read", What: "bytes of a download are read"},

	{Name: "origin.request", Of: true, What: "a request is sent to a remote archive or origin, by its method"},
	{Name: "origin.answer", Of: true, What: "after the head of its answer has come"},

	{Name: "local.make-folder", What: "the folder of a new file of the local archive is created"},
	{Name: "local.create", What: "the file's temporary one is created"},
	{Name: "local.write", What: "the next 64 MiB are copied into it, or its end is found"},
	{Name: "local.sync", What: "it is synced"},
	{Name: "local.rename", What: "it is renamed into place"},
	{Name: "local.sync-folder", What: "the folder, which names the file now, is synced"},
	{Name: "local.read", What: "a file is read, for its checksum"},
	{Name: "local.remove", What: "a file is removed"},

	{Name: "syncer.create-alive-file", What: "the file by which other processes see that a syncer lives is created"},
	{Name: "syncer.remove-alive-file", What: "that of a dead syncer is removed"},
	{Name: "work.make-directory", What: "a job's directory of temporary files is created"},
	{Name: "work.upload", What: "a file is given to an archive"},
	{Name: "work.uploaded", What: "after an archive has taken it, or not"},
	{Name: "work.write-session", What: "an upload's session is written to a temporary file"},
	{Name: "work.rename-session", What: "that is renamed into place"},
	{Name: "work.remove-session", What: "the session of an upload that has ended is removed"},
	{Name: "work.clear", What: "a job's directory is removed"},
	{Name: "work.sweep", What: "the directory of a job that nobody works on is removed"},
	{Name: "ingest.create-part", What: "the file of a download is opened, or created"},
	{Name: "ingest.truncate-part", What: "it is cut to what the download continues behind"},
	{Name: "ingest.write-size", What: "the size that the host states is written beside it"},
	{Name: "ingest.write-validator", What: "the validator that the host states is written beside it"},
	{Name: "ingest.write-part", What: "bytes of a download are written"},
	{Name: "ingest.rename-part", What: "a downloaded part, checked, gets its name"},
	{Name: "ingest.rename-archived", What: "an archived file that was fetched gets its name"},
	{Name: "ingest.rename-companion", What: "a downloaded companion, checked, gets its name"},
	{Name: "ingest.remove-companion", What: "the local file of an archived companion is removed"},
	{Name: "ingest.join", What: "parts are joined"},
	{Name: "ingest.joined", What: "after parts were joined, or could not be"},
	{Name: "derive.keep", What: "the file of a published recording is handed over to what is made of it"},
	{Name: "derive.rename-source", What: "an archived recording that was fetched gets its name"},
	{Name: "derive.make-directory", What: "the directory of what one maker makes is emptied"},
	{Name: "derive.remove-directory", What: "it is removed"},
	{Name: "move.create-local", What: "the local copy of a file that is moved is created"},
	{Name: "move.rename-local", What: "it gets its name"},
	{Name: "move.remove-local", What: "it is removed"},
}

// Known reports whether there is a point of that name.
func Known(name string) bool {
	_, ok := byName[name]
	return ok
}

var byName = func() map[string]Point {
	m := make(map[string]Point, len(All))
	for _, p := range All {
		m[p.Name] = p
	}
	return m
}()

// Texts are what a program with failpoints has in its binary, and no other program.
func Texts() []string {
	texts := []string{"LECTERN_FAILPOINTS"}
	for _, p := range All {
		texts = append(texts, p.Name)
	}
	return texts
}
