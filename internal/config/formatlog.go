package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// syslogKinds returns the schemes of syslog servers.
func syslogKinds() []string { return []string{"syslog+udp", "syslog+tcp", "syslog+tls", "syslog+unix"} }

// journald is the output to systemd's journal.
const journald = "journald"

// otlpKinds returns the schemes of OTLP endpoints.
func otlpKinds() []string { return []string{"otlp+http", "otlp+https"} }

// logOutput accepts a stream, a file and a server.
func logOutput(s string) (string, error) {
	if kind, rest, ok := strings.Cut(s, "://"); ok {
		return s, logServer(kind, rest)
	}
	std := []string{"stderr", "stdout", journald}
	if !slices.Contains(std, s) && !strings.ContainsAny(s, "./") {
		return "", fmt.Errorf("expected stderr, stdout, journald, a file name such as ./goodgate.log, or a server such as syslog+udp://127.0.0.1%s", didYouMean(s, std))
	}
	return s, nil
}

func logServer(kind, rest string) error {
	switch {
	case kind == "syslog":
		return fmt.Errorf("the transport is missing: write syslog+udp://%s, syslog+tcp://, syslog+tls:// or syslog+unix:///dev/log", rest)
	case kind == journald:
		if unixPath(rest) != nil {
			return errors.New("expected the path of a journal's socket, as in journald:///run/systemd/journal.web/socket")
		}
		return nil
	case slices.Contains(otlpKinds(), kind):
		return otlpServer(strings.TrimPrefix(kind, "otlp+") + "://" + rest)
	case kind == "http" || kind == "https" || kind == "otlp" || kind == "otlp+grpc":
		return fmt.Errorf("write otlp+http://%s or otlp+https://%[1]s, because goodgate sends OTLP over HTTP", rest)
	case !slices.Contains(syslogKinds(), kind):
		known := append(syslogKinds(), otlpKinds()...)
		return fmt.Errorf("unknown scheme %s: expected one of %s%s", found(kind), strings.Join(known, ", "), didYouMean(kind, known))
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

// otlpServer accepts the URL of an OTLP endpoint. The log names its outputs, so a URL must
// not have a secret.
func otlpServer(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || !isHost(u.Hostname()) || u.Port() != "" && !isPort(u.Port(), 1):
		return errors.New("expected a host and perhaps a port and a path, as in otlp+http://127.0.0.1:4318")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("the URL must have no user and no query: put API keys into otlp.headers")
	}
	return nil
}

// outputServer reports whether an output of the log is a server.
func outputServer(s string) bool { return strings.Contains(s, "://") }
