// Package logs reads the log files of other proxies, whatever wrote them out.
//
// [Open] opens a file or standard input: compressed or not, never anything that
// could block for ever. [Scan] gives its lines. [Envelope] takes off what
// others put around a line: container runtimes, syslog, journald, terminals.
// [Failures] counts what lines say.
//
// All of it is bounded: bytes and time of a file, length of a line, names told
// apart. Values are not safe for concurrent use.
package logs
