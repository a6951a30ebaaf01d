// Package finding is what a look at a proxy and its upstreams brings: findings,
// in the order in which they matter, as text or as JSON.
//
// A [Finding] says what was seen, what that means and what to do about it. A
// [Report] holds them with the [Step]s that were taken. Values are not safe for
// concurrent use.
package finding
