// Package memnet is a network in memory, for tests in testing/synctest bubbles.
//
// A [Network] has listeners and a dialer. Its connections are full duplex, buffer a
// bounded number of bytes in each direction, and fail with the errors of TCP sockets
// (refused, reset, broken pipe, deadline exceeded). Nothing enters the kernel: every
// wait is on a channel or a sync.Cond, so a bubble in which all goroutines wait is
// idle, and its clock advances.
//
// Everything is safe for concurrent use. A listener or a connection created in a bubble
// must stay in it.
package memnet
