// Package access has the stores behind access decisions: users with their password
// hashes, and networks. It reads the file of users again when the file changes.
//
// A [Users] bounds the cost of password guessing. At most half of the processors check
// passwords at once, and few requests wait for that. Verified credentials are
// remembered under a keyed hash, so that a client pays for its password once and not
// with every request.
package access
