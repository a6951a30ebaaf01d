// Package access has the stores behind decisions on who may come: users with their
// password hashes, read from a file that is read again when it changes, and networks.
//
// A [Users] bounds what guesses cost: at most half of the processors check passwords at
// once, few requests wait for that, and what was verified is remembered under a keyed
// hash, so that a client pays for its password once and not with every request.
package access
