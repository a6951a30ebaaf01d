package redis

import (
	"crypto/tls"
	"time"
)

// Options say where the store is. Addresses is required.
type Options struct {
	Addresses []string // host:port, or /path of a unix socket; of the sentinels, with a Master
	Master    string   // that sentinels watch; empty = no sentinels are asked
	Cluster   bool     // Addresses are of a Redis Cluster
	Database  int      // not with Cluster

	Username, Password                 string
	SentinelUsername, SentinelPassword string

	TLS    *tls.Config // nil = in the clear
	Prefix string      // of all keys and channels, before the fleet's name
	Name   string      // of the fleet
	// Timeout bounds a connection, and each of its reads and writes; 0 = 500 ms.
	Timeout time.Duration
}
