package diagnose

import "strings"

// inProtocol renames a directive for the protocol to an upstream, for example to
// "fastcgi_read_timeout". It removes lines for which the protocol has no directive.
func inProtocol(directive, scheme string) string {
	module := map[string]string{"fastcgi": "fastcgi", "uwsgi": "uwsgi", "suwsgi": "uwsgi", "scgi": "scgi", "grpc": "grpc", "grpcs": "grpc", "memcached": "memcached"}[scheme]
	if module == "" {
		return directive
	}
	if module == "memcached" && strings.Contains(directive, "proxy_pass") {
		return "" // its directive accepts no variable
	}
	var lines []string
	for line := range strings.Lines(directive) {
		line = strings.TrimRight(line, "\n")
		switch name, rest, _ := strings.Cut(line, " "); {
		case !strings.HasPrefix(name, "proxy_"):
		case name == "proxy_http_version":
			line = ""
			if module == "fastcgi" {
				line = "fastcgi_keep_conn on;"
			}
		case name == "proxy_set_header" && module != "grpc", name == "proxy_set_header" && strings.HasPrefix(rest, "Connection"):
			line = ""
		case strings.Contains(name, "_ssl_") && module != "grpc" && module != "uwsgi": // the others do not support TLS
			line = ""
		case (module == "grpc" || module == "memcached") && !unbuffered(name):
			line = ""
		case name == "proxy_pass":
			line = module + "_pass " + strings.TrimPrefix(rest, "http://")
		default:
			line = module + "_" + strings.TrimPrefix(name, "proxy_") + " " + rest
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// unbuffered reports whether a module without buffers has the directive, too.
func unbuffered(name string) bool {
	for _, part := range []string{"_timeout", "_buffer_size", "_bind", "_pass", "_ssl_", "_set_header"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// inWords returns a text with the directives of a protocol.
func inWords(text, scheme string) string {
	words := strings.Fields(text)
	for i, w := range words {
		if !strings.HasPrefix(w, "proxy_") || strings.HasPrefix(w, "proxy_pass") {
			continue
		}
		if named := inProtocol(w, scheme); named != "" {
			words[i] = strings.TrimSpace(named)
		}
	}
	return strings.Join(words, " ")
}
