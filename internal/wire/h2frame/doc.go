// Package h2frame reads the frames of HTTP/2 (RFC 9113, section 4.1) on a client
// connection of [net/http]. It blocks frames that net/http does not survive.
package h2frame
