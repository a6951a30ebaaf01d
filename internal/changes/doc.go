// Package changes keeps what operators have changed while goodgate runs: which upstream
// is drained, which weight it has, how a route is split. A change is in force until it
// is taken back, its time is over, or the configuration file says something else of the
// same subject. All changes are in a [Book], whose file outlives a restart, a crash and
// an upgrade.
//
// The book only remembers. Who can follow a change applies it: by [Book.Follow], and at
// the start by [Book.All].
//
// A Book is safe for concurrent use. Reading it takes no lock, so that requests may.
package changes
