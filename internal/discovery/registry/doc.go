// Package registry finds upstreams by querying other programs over their HTTP APIs: a
// list on an HTTP server, Docker or Podman, Consul, Nomad, etcd, Kubernetes. Each has
// its own file. Each is a [discovery.Asker], from which [discovery.NewPoll] makes a
// source.
//
// An answer has at most 8 MiB. If the other program is slow, broken or gone, an asker
// returns an error. It ends with its context. Errors contain no secrets. The minimal
// edition leaves this package out.
package registry
