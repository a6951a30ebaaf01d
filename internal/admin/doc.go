// Package admin is the operator's API: what goodgate knows of itself and of its
// upstreams, as JSON, and the changes that can be made while it runs. It has a
// listener of its own; docs/admin.md describes it.
package admin
