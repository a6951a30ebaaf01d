// Package xconnect makes net/http's HTTP/2 servers accept WebSockets (extended CONNECT, RFC 8441).
// Import it for this effect.
//
// net/http reads the setting once, when its package initializes, and only from the environment, so
// that a go:debug line has no effect. Packages without pending imports initialize in the order of their paths
// (Go specification, "Program initialization"), so this package, which imports only os and strings,
// initializes before net/http.
package xconnect

import (
	"os"
	"strings"
)

const setting = "http2xconnect="

func init() { os.Setenv("GODEBUG", enabled(os.Getenv("GODEBUG"))) }

// enabled returns a value of GODEBUG with the setting on, unless the operator has set it.
func enabled(debug string) string {
	switch {
	case strings.Contains(debug, setting):
		return debug
	case debug == "":
		return setting + "1"
	}
	return debug + "," + setting + "1"
}
