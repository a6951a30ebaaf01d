// Package convert writes a goodgate configuration that does what another
// proxy's does: [Nginx], [HAProxy].
//
// What has no equivalent becomes a [Note] with its place, never a silent loss.
// goodgate's protections (health checks, retries, holding requests) stay on with
// their defaults, as the reason to convert at all.
package convert
