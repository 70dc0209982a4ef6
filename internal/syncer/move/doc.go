// Package move moves recordings from one archive to another while they are watched.
//
// Each file of a recording is copied, the copy is verified, and then one transaction makes
// the recording name its copies. What it named before stays for the grace of removed
// recordings, so that gateways that do not know of the move yet, and answers under way, read
// on; package retention removes it.
//
// A mover that is killed loses nothing and leaves no second file:
//
//  1. The lease of the recording (lectern_moves) is taken. It lapses with its process.
//  2. Each copy is in the database (lectern_copies) with its key before its first byte goes
//     up. The next mover uploads to the same key, unless this one may still be running.
//  3. A copy counts when the archive's checksum, or what is read back, is that of the bytes
//     that were read, and these are what the source's archive says it holds.
//  4. The switch compares: the lease, the recording, its ingest, and each file are as they
//     were when the copying began, else it is done again with what is there now. No ingest
//     is at work meanwhile: the switch waits for its end, and locks its row first, as
//     everything does.
//
// Size and owner do not change, so that the quota is not touched.
package move
