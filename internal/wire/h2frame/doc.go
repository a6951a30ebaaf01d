// Package h2frame reads the frames of HTTP/2 (RFC 9113, section 4.1) as they go by
// on a client's connection, whose protocol is [net/http]'s. It keeps from net/http
// what that does not survive.
package h2frame
