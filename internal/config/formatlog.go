package config

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
)

// syslogKinds returns the schemes of syslog servers.
func syslogKinds() []string { return []string{"syslog+udp", "syslog+tcp", "syslog+tls", "syslog+unix"} }

// logOutput accepts a stream, a file and a server.
func logOutput(s string) (string, error) {
	if kind, rest, ok := strings.Cut(s, "://"); ok {
		return s, logServer(kind, rest)
	}
	std := []string{"stderr", "stdout"}
	if !slices.Contains(std, s) && !strings.ContainsAny(s, "./") {
		return "", fmt.Errorf("expected stderr, stdout, a file name such as ./goodgate.log, or a server such as syslog+udp://127.0.0.1%s", didYouMean(s, std))
	}
	return s, nil
}

func logServer(kind, rest string) error {
	switch {
	case kind == "syslog":
		return fmt.Errorf("the transport is missing: write syslog+udp://%s, syslog+tcp://, syslog+tls:// or syslog+unix:///dev/log", rest)
	case !slices.Contains(syslogKinds(), kind):
		return fmt.Errorf("%s: expected one of %s%s", found(kind), strings.Join(syslogKinds(), ", "), didYouMean(kind, syslogKinds()))
	case kind == "syslog+unix":
		if unixPath(rest) != nil {
			return errors.New("expected the path of a socket, as in syslog+unix:///dev/log")
		}
		return nil
	}
	host, port, err := net.SplitHostPort(rest)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(rest, "["), "]"), "514"
	}
	if !isHost(host) || !isPort(port, 1) {
		return fmt.Errorf("expected a host and perhaps a port, as in %s://logs.example.com:514", kind)
	}
	return nil
}

// outputServer reports whether an output of the log is a server.
func outputServer(s string) bool { return strings.Contains(s, "://") }
