// Package watchstate holds how far a viewer is in a recording and which pieces of it they have
// played. It is pure: it reads no clock and no database.
package watchstate
