// Package nginxconf reads an nginx configuration: the upstreams, the locations that
// send requests to them, and the settings that apply there.
//
// nginx-go-crossplane parses the files, including includes. This package adds nginx's
// semantics: inheritance from http to server to location, defaults, the values of
// variables, and the target of a proxy_pass. [Lint] reports known traps that need no
// other evidence. Values are immutable after reading.
package nginxconf
