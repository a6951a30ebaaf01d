// Package nginxlog reads the error logs and access logs of nginx, of any size.
//
// [ErrorTally] counts what an error log tells of upstreams, by [Cause] and
// upstream; [AccessTally] counts statuses and times. Both read a stream in one
// pass over a fixed buffer: what they keep is bounded, however long the log.
//
// nginx's messages are the only interface there is: their texts have been the
// same since nginx 1.0, and are matched by prefix. Values are not safe for
// concurrent use.
package nginxlog
