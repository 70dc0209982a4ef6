// Package crash has the campaign that kills the real programs, thousands of times, and looks at
// what they leave. The programs are built with the tag failpoint: a rule of each life says at
// which passing of which point it ends, and other lives end at random moments, by a signal.
// What package failpoint/points lists is reached, or the campaign fails.
//
// A life of the gateway (gateway_test.go) fills, evicts and reads a cache in front of an
// emulated Drive, while every byte of every answer is compared with the source. A life of the
// syncer (syncer_test.go) is one of its commands: it archives what an emulated Zoom has
// recorded, moves it between archives, removes and purges it. Every few lives one runs
// undisturbed until nothing is left to do, and what holds then is checked (checks_test.go).
//
//	make torture-crash ITERATIONS=1000
package crash
