package haproxy

import "strings"

// Param is a parameter of a server line with its value; Value "" = it has none.
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

// isSwitch is for the parameters of [TLSParams] and the like that have no value.
func isSwitch(name string) bool { return name == "ssl" || name == "check-ssl" || name == "send-proxy" }

// TLSParams are the parameters of a server line that are about TLS.
func TLSParams() []string {
	return []string{"ssl", "check-ssl", "verify", "verifyhost", "ca-file", "crl-file", "crt", "sni", "check-sni", "alpn", "check-alpn", "ssl-min-ver", "ssl-max-ver", "ciphers", "ciphersuites"}
}

// quoted writes a word so that it is read as one.
func quoted(word string) string {
	return strings.NewReplacer(`\`, `\\`, ` `, `\ `, `"`, `\"`, `'`, `\'`, `#`, `\#`).Replace(word)
}
