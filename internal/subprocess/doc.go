// Package subprocess runs other programs: without a shell, bounded in time, processor time,
// memory and output, and never longer than this process.
package subprocess
