// Package nginxlog reads the error logs and access logs of nginx, of any size.
//
// [ErrorTally] counts failures in an error log by [Cause] and upstream. [AccessTally]
// counts statuses and durations. Both read a stream in one pass with a fixed buffer and
// bounded memory, however long the log is.
//
// nginx's messages are the only available interface. Their texts have been the same
// since nginx 1.0, and are matched by prefix. Values are not safe for concurrent use.
package nginxlog
