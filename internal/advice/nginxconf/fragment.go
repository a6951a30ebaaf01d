package nginxconf

import "strings"

// whole completes a file that is normally included by another one. It puts the file's
// directives into http {}, and those that only a server or a location can have into
// such blocks. Directives for the whole nginx process stay where they are.
func whole(list []*Directive) (all []*Directive, fragment bool) {
	var main, http, server, location []*Directive
	for _, d := range list {
		switch {
		case d.Name == "http" || d.Name == "events":
			return list, false
		case d.Name == "stream" || d.Name == "mail" || d.Name == "user" || d.Name == "pid" || strings.HasPrefix(d.Name, "worker_"):
			main = append(main, d)
		case strings.HasSuffix(d.Name, "_pass"):
			location = append(location, d)
		case d.Name == "location" || d.Name == "listen" || d.Name == "server_name" || d.Name == "set" || d.Name == "if" || d.Name == "rewrite":
			server = append(server, d)
		default:
			http = append(http, d)
		}
	}
	if len(location) > 0 {
		server = append(server, around("location", location, "/"))
	}
	if len(server) > 0 {
		http = append(http, around("server", server))
	}
	if len(http) > 0 {
		main = append(main, around("http", http))
	}
	return main, true
}

// around returns a block that no file contains.
func around(name string, block []*Directive, args ...string) *Directive {
	return &Directive{Name: name, Args: args, File: block[0].File, Line: block[0].Line, Block: block}
}
