// Package media is the vocabulary that the packages of Lectern share: the identity of
// bytes (Object, Span) and where they are stored (Location), how they are read (Reader,
// Piece), users and their credentials (User, Token, Viewer), recordings (Recording,
// Membership), and the closed lists of failures: Kind for errors, Code for refusals,
// Reason for edits and ingests.
//
// It imports the standard library only, does no I/O and starts no goroutine, so that every
// other package may import it.
package media
