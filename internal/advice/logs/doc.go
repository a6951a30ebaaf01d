// Package logs reads the log files of other proxies, from whatever system collected
// them.
//
// [Open] opens a file or standard input, compressed or not, and rejects anything that
// might block for ever. [Scan] returns its lines. [Envelope] removes the text that
// others put around a line: container runtimes, syslog, journald, terminals. [Joiner]
// joins records that span several lines.
//
// Everything is bounded: bytes and time per file, and the length of a line. Values are
// not safe for concurrent use.
package logs
