package convert

import (
	"path"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// errorPages finds the static error pages of all servers and locations. goodgate then
// uses the same files: the folder of pages by status, and one page for its other
// errors.
func (n *nginx) errorPages() {
	for _, s := range n.Servers {
		for _, d := range append(s.All("error_page"), below(s.Block, "error_page")...) {
			if !n.done[d] {
				n.errorPage(s, d)
			}
		}
	}
}

// below returns the directives with a name in the locations of a block.
func below(block []*nginxconf.Directive, name string) (all []*nginxconf.Directive) {
	for _, d := range block {
		if d.Name == "location" || d.Name == "if" {
			all = append(append(all, named(d.Block, name)...), below(d.Block, name)...)
		}
	}
	return all
}

func (n *nginx) errorPage(s *nginxconf.Server, d *nginxconf.Directive) {
	n.use(d)
	if strings.HasPrefix(lastArg(d), "@") && isGatewayPage(d) {
		return // fallback converts it
	}
	file, what := n.static(s, lastArg(d)), d.Name+" "+d.Arg(0)
	statuses, ok := pageStatuses(d)
	switch {
	case !ok || file == "":
		n.note(d.At(), what, "left out: goodgate's error pages are files, one for each status (errors.dir) or one for all (errors.html)")
		return
	case byStatus(path.Base(file), statuses) && (n.file.pageDir == "" || n.file.pageDir == path.Dir(file)):
		n.file.pageDir = path.Dir(file)
		n.note(d.At(), what, "goodgate uses this page, and all other files in %s that are named after a status, for its own errors (errors.dir)", path.Dir(file))
	case slices.Contains(statuses, "502") && (n.file.page == "" || n.file.page == file):
		n.file.page = file
		n.note(d.At(), d.Name, "goodgate uses this page for its own errors if the client accepts HTML; other clients get text or JSON (errors.html)")
	default:
		n.note(d.At(), what, "left out: put the page into the folder of errors.dir, named %s.html or %cxx.html", d.Arg(0), d.Arg(0)[0])
		return
	}
	n.pages = append(n.pages, file)
}

// pageStatuses returns the statuses of an error_page. goodgate never changes the
// status.
func pageStatuses(d *nginxconf.Directive) (statuses []string, ok bool) {
	if len(d.Args) < 2 {
		return nil, false
	}
	statuses = slices.DeleteFunc(slices.Clone(d.Args[:len(d.Args)-1]), func(s string) bool { return strings.HasPrefix(s, "=") })
	return statuses, !slices.ContainsFunc(statuses, func(text string) bool {
		return len(text) != 3 || text < "400" || text > "599" || strings.Trim(text, "0123456789") != ""
	})
}

// byStatus reports whether a file has the name that goodgate looks for with each of
// these statuses.
func byStatus(name string, statuses []string) bool {
	base, ok := strings.CutSuffix(name, ".html")
	return ok && !slices.ContainsFunc(statuses, func(s string) bool { return base != s && base != s[:1]+"xx" })
}

// static returns the file that a server has for a path, "" if there is none.
func (n *nginx) static(s *nginxconf.Server, uri string) string {
	if !strings.HasPrefix(uri, "/") {
		return ""
	}
	root := s.One("root").Arg(0)
	for _, d := range s.Block {
		if d.Name == "location" && slices.Contains(d.Args, uri) {
			for _, in := range d.Block {
				if in.Name == "root" {
					root = in.Arg(0)
				}
			}
		}
	}
	if root == "" || strings.Contains(root, "$") {
		return ""
	}
	return strings.TrimSuffix(root, "/") + uri
}

func (n *nginx) isErrorPage(p *place) bool {
	return slices.ContainsFunc(n.pages, func(file string) bool { return strings.HasSuffix(file, p.path) })
}

// intercepted converts proxy_intercept_errors, if goodgate has the error page that
// replaces the upstream's answer.
func (n *nginx) intercepted(s *nginxconf.Server, p *place, r *route) {
	d := p.one("proxy_intercept_errors")
	if d.Arg(0) != "on" || r.fallback != "" {
		return
	}
	for _, page := range p.any("error_page") {
		statuses, ok := pageStatuses(page)
		if !ok || len(statuses) < len(page.Args)-1 || !slices.Contains(n.pages, n.static(s, lastArg(page))) {
			continue // it is noted
		}
		for _, status := range statuses {
			r.intercept = withWord(r.intercept, status)
		}
	}
	if len(r.intercept) > 0 {
		n.use(d)
	}
}
