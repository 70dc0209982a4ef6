// Package subprocess runs a program that an operator has configured: without a shell, bounded
// in time, memory and output, and never longer than this process.
package subprocess
