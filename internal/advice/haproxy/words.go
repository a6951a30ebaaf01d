package haproxy

import "strings"

// Param is a parameter of a server line; Value "" means that it has none.
type Param struct{ Name, Value string }

// With returns the server line with another address, without some parameters, and with
// others added or replaced.
func (l Line) With(address string, without []string, add ...Param) string {
	drop := map[string]bool{}
	for _, name := range without {
		drop[name] = true
	}
	for _, p := range add {
		drop[p.Name] = true
	}
	line := []string{"server", l.Word(1), address}
	for i := 3; i < len(l.Words); i++ {
		word := l.Words[i]
		if !drop[word] {
			line = append(line, quoted(word))
			continue
		}
		if !isSwitch(word) {
			i++ // its value
		}
	}
	for _, p := range add {
		line = append(line, p.Name)
		if p.Value != "" {
			line = append(line, quoted(p.Value))
		}
	}
	return strings.Join(line, " ")
}

// isSwitch reports whether a parameter has no value.
func isSwitch(name string) bool { return name == "ssl" || name == "check-ssl" || name == "send-proxy" }

// TLSParams returns the TLS parameters of a server line.
func TLSParams() []string {
	return []string{"ssl", "check-ssl", "verify", "verifyhost", "ca-file", "crl-file", "crt", "sni", "check-sni", "alpn", "check-alpn", "ssl-min-ver", "ssl-max-ver", "ciphers", "ciphersuites"}
}

// quoted quotes a word if necessary.
func quoted(word string) string {
	return strings.NewReplacer(`\`, `\\`, ` `, `\ `, `"`, `\"`, `'`, `\'`, `#`, `\#`).Replace(word)
}
