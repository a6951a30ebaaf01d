// Package registry finds upstreams by asking other programs over their HTTP APIs: a list
// on an HTTP server, Docker or Podman, Consul, Nomad, etcd, Kubernetes. One of them a file. Each is
// a [discovery.Asker], which [discovery.NewPoll] makes a source of.
//
// An answer may have 8 MiB, and the other program may be slow, broken or gone: an
// asker returns an error then, and ends with its context. Errors say nothing that is
// secret. The minimal edition leaves this package out.
package registry
