// Package stale keeps responses to answer with when an error would reach the
// client otherwise: the stale-if-error extension of RFC 5861, over the storage
// rules of a shared cache (RFC 9111). It never answers instead of asking.
//
// It is stricter than it has to be in what it keeps: only answers to GET and
// HEAD, nothing that belongs to one user, nothing that must be revalidated. A
// response that says nothing about caching is kept only when the operator has
// given a time for such, and neither kept for nor given to a request with a
// cookie.
//
// A [Cache] is bounded by bytes, drops what was used least recently, and is
// safe for concurrent use.
package stale
