// Package stale keeps responses as a replacement for errors: the stale-if-error extension
// of RFC 5861, over the storage rules of a shared cache (RFC 9111). With Options.Hits it
// is a complete shared cache.
//
// rules.go decides which responses are kept. It is stricter than necessary: it keeps only
// answers to GET and HEAD, nothing that belongs to one user, and nothing that must be
// revalidated each time. It keeps the answer to a request with a credential only if the
// answer explicitly allows that to shared caches. It keeps a response without caching
// headers only if the operator has configured a freshness for it.
//
// look.go decides whether a kept response may answer without an upstream.
// fields.go classifies each request field by its possible influence on the answer,
// whether or not the answer names it in Vary. question.go makes one digest of the
// deciding fields, so that two requests share an answer only if the application could not
// distinguish them by these fields.
//
// A [Cache] has a limit in bytes, evicts the least recently used resources, and is safe
// for concurrent use.
package stale
