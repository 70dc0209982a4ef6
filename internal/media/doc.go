// Package media holds the words every room of Lectern shares: what bytes are
// (Object, Span), where they lie (Location), how they travel (Reader, Piece),
// who asks for them (User, Viewer), what is asked for (Recording), and the two
// closed vocabularies of saying no: Kind for faults and Code for refusals.
//
// It imports the standard library only, does no I/O and starts no goroutine,
// so that every other package may lean on it.
package media
