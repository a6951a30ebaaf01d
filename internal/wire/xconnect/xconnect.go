// Package xconnect makes net/http's HTTP/2 servers accept WebSockets (extended CONNECT, RFC 8441).
// Import it for this effect.
//
// net/http reads the setting once, when its package initializes, and only from the environment: a
// go:debug line has no effect. Packages without pending imports initialize in the order of their paths
// (Go specification, "Program initialization"), so this package, which imports only os and strings,
// initializes before net/http.
package xconnect

import (
	"os"
	"strings"
)

const setting = "http2xconnect="

func init() {
	debug := os.Getenv("GODEBUG")
	switch {
	case strings.Contains(debug, setting): // the operator's choice
	case debug == "":
		os.Setenv("GODEBUG", setting+"1")
	default:
		os.Setenv("GODEBUG", debug+","+setting+"1")
	}
}
