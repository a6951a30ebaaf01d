// Package nginxconf reads the configuration of an nginx: which upstreams it
// has, which locations send requests to them, and the settings that hold there.
//
// nginx-go-crossplane does the reading, includes followed; this package adds
// what nginx does with it: inheritance from http to server to location,
// defaults, variables that were set, and what a proxy_pass leads to. [Lint]
// names the traps that need no evidence. Values are immutable once read.
package nginxconf
