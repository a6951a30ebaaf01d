// Package stale keeps responses to answer with when an error would reach the
// client otherwise: the stale-if-error extension of RFC 5861, over the storage
// rules of a shared cache (RFC 9111). With Options.Hits it is such a cache: look.go says
// what may be used before an upstream is asked.
//
// rules.go says what is kept. It is stricter than it has to be: only answers to
// GET and HEAD, nothing that belongs to one user, nothing that must be
// revalidated each time. What a request with a credential got is kept only on the answer's
// explicit word that it is for others too. A response that says nothing about
// caching is kept only when the operator has given a time for such.
//
// fields.go says what each field of a request has to do with its answer, whether
// or not the answer names it in Vary; question.go makes one digest of those that
// decide, so that answers are told apart by all that an application may have gone
// by.
//
// A [Cache] is bounded by bytes, drops what was used least recently, and is
// safe for concurrent use.
package stale
