// Package changes keeps operators' changes at run time: which upstream is drained, its
// weight, the split of a route. A change is active until somebody ends it, it expires,
// or the configuration file has another value for the same subject. All changes are in
// a [Book], whose file survives a restart, a crash and an upgrade.
//
// The book only stores changes. Others apply them, with [Book.Follow], and at the start
// with [Book.All].
//
// A Book is safe for concurrent use. Reading takes no lock, so that requests may read
// it.
package changes
