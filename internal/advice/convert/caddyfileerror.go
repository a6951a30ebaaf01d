package convert

import (
	"path"
	"regexp"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/caddyfile"
)

// pageByStatus matches a rewrite to a file that is named after the status of the error.
var pageByStatus = regexp.MustCompile(`^/([\w./-]*/)?\{(?:err|http\.error)\.status_code\}\.html$`)

// errorPages converts a handle_errors that answers with one file for each status: its
// folder becomes errors.dir. around is the enclosing block.
func (a *adapter) errorPages(d *caddyfile.Directive, around []*caddyfile.Directive) bool {
	root, page, serves := "", "", false
	for _, in := range append(append([]*caddyfile.Directive{}, around...), d.Block...) {
		if in.Name == "root" && (len(in.Args) == 1 || in.Arg(0) == "*") {
			root = in.Args[len(in.Args)-1]
		}
	}
	for _, in := range d.Block {
		switch in.Name {
		case "rewrite":
			if len(in.Args) == 0 || len(in.Args) == 2 && in.Arg(0) != "*" {
				return false
			}
			page = in.Args[len(in.Args)-1]
		case "file_server":
			serves = true
		case "root":
		default:
			return false
		}
	}
	m := pageByStatus.FindStringSubmatch(page)
	if m == nil || !serves || !path.IsAbs(root) || strings.ContainsAny(root, "{}*") {
		return false
	}
	dir := path.Join(root, m[1])
	if a.file.pageDir != "" && a.file.pageDir != dir {
		return false
	}
	a.file.pageDir = dir
	a.note(d.At, d.Name, "goodgate uses the files in %s that are named after a status as pages for its own errors (errors.dir)", dir)
	return true
}
