// Package redis implements a fleet's engine in Redis or Valkey, with redigo: a single
// server, a primary that sentinels watch, or a cluster; with TLS and ACL. The oldest
// supported server version is 5.
//
// An ACL user needs the keys ~PREFIX{NAME}:*, the channel &PREFIX{NAME}, and the commands
// +@connection +@scripting +@pubsub +@hash +@sortedset +@string +time, with sentinels
// also +role.
//
// redis.go has the engine, scripts.go its Lua scripts, and link.go the connections. An
// [Engine] is safe for concurrent use.
//
// The package does not use go-redis, whose clients have a method for each command. The
// linker keeps them all, because the templates of error pages may call any method: 8.3 MB
// of the program. Redigo has one method for all commands. So this package itself finds
// the primary, selects the sentinels to ask, and finds the cluster node with the fleet's
// one slot.
package redis
