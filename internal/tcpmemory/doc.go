// Package tcpmemory reads how much memory the kernel has for TCP, and how much of it is in use, by
// all programs of the machine together, and what the process itself is allowed. All functions are safe for concurrent use.
package tcpmemory
