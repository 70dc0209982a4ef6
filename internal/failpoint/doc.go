// Package failpoint names the places of the programs at which tests make them die or fail: a
// step of the file system, a commit, a request.
//
//	if err := failpoint.Err("cache.rename"); err != nil {
//		return err
//	}
//
// In a production build the functions do nothing and are inlined: neither a call nor the
// name of a point is left in the binary, and no variable of the environment is read. A build
// with the tag failpoint reads, when the first point is passed:
//
//	LECTERN_FAILPOINTS       rules, separated by semicolons
//	LECTERN_FAILPOINTS_FILE  a file of rules, a line each, read again whenever it changes
//	LECTERN_FAILPOINTS_LOG   a file that gets a line for each point that is passed
//
// A rule says what happens at a point, and at which of its passings:
//
//	cache.rename=kill@3                        the process kills itself, as by kill -9, at the third
//	cache.write-data=error(ENOSPC)@1-5         the first five fail, with the error number's name or any text
//	cache.write-data=short(100)@2-             from the second on 100 bytes are written, then there is no space
//	cache.write-data=torn(100)                 each write succeeds, and all bytes behind the first 100 are zero
//	db.commit[syncer: publish]=sleep(2s)       a point that stands in front of many operations, for one of them
//	*=kill@100                                 the hundredth passing, of whichever point
//
// A text that is no rule, and a point that package points does not list, end the process with
// status 2. All functions are safe for concurrent use.
package failpoint
