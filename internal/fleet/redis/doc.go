// Package redis is a fleet's engine in Redis or Valkey, by redigo: one server, one that
// sentinels watch, or a cluster; with TLS and ACL. Version 5 of the server is the oldest.
//
// A user of an ACL needs the keys ~PREFIX{NAME}:*, the channel &PREFIX{NAME}, and the
// commands +@connection +@scripting +@pubsub +@hash +@sortedset +@string +time, with
// sentinels also +role.
//
// Not by go-redis: its clients have a method for each command of Redis, which the linker
// keeps, as the templates of error pages may call any: 8.3 MB of the program. Redigo has
// one method for all commands. What it leaves to its users is here: who is the primary,
// which sentinels are asked for, and which node of a cluster has the fleet's one slot.
package redis
