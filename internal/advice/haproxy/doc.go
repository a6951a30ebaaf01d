// Package haproxy reads HAProxy's configuration and its log.
//
// [Load] splits a configuration into sections and words, with what a section
// inherits from its defaults; [Tally] counts the log's termination states, which
// say who ended a request and in which phase (configuration.txt, section 8.5).
// Values are immutable once read, a Tally is not safe for concurrent use.
package haproxy
