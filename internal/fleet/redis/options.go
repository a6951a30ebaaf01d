package redis

import (
	"crypto/tls"
	"time"
)

// Options locate the store. Addresses is required.
type Options struct {
	Addresses []string // host:port, or /path of a unix socket; with Master, the sentinels
	Master    string   // name of the primary at the sentinels; empty = no sentinels
	Cluster   bool     // Addresses are of a Redis Cluster
	Database  int      // not with Cluster

	Username, Password                 string
	SentinelUsername, SentinelPassword string

	TLS    *tls.Config // nil = cleartext
	Prefix string      // of all keys and channels, before the fleet's name
	Name   string      // of the fleet
	// Timeout bounds a connection, and each of its reads and writes; 0 = 500 ms.
	Timeout time.Duration
}
