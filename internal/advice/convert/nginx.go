package convert

import (
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// Nginx converts the http part of an nginx configuration.
func Nginx(c *nginxconf.Config) *Result {
	n := &nginx{Config: c, Result: &Result{}, pools: map[string]string{}, done: map[*nginxconf.Directive]bool{}}
	for _, p := range c.Problems {
		n.missing(p)
	}
	for _, d := range c.Root {
		if d.Name == "http" {
			n.http = append(n.http, d.Block...)
		}
	}
	n.listeners()
	n.trusted()
	n.errorPages()
	n.accessLog()
	for _, v := range n.vhosts() {
		n.server(v)
	}
	n.left(c.Root)
	if len(c.Servers) == 0 {
		n.Missing = "no server within http {}. If another file includes it, convert that file"
	}
	return n.Result
}

// missing reports a file that could not be read. Files that come with nginx have no
// settings that matter; any other file may protect something.
func (n *nginx) missing(problem string) {
	where := ""
	if text, place, ok := strings.Cut(problem, " in "); ok && strings.HasPrefix(text, placeFile(place)+": ") {
		problem, where = strings.TrimPrefix(text, placeFile(place)+": "), place
	}
	for _, own := range []string{"mime.types", "fastcgi_params", "fastcgi.conf", "uwsgi_params", "scgi_params", "modules-enabled", "koi-utf", "koi-win", "win-utf"} {
		if strings.Contains(problem, own) {
			n.note(where, "include", "the file could not be read: %s", problem)
			return
		}
	}
	n.refuse(where, "include", "a file could not be read, so its restrictions would be lost: "+problem)
}

// placeFile returns the file of a place, which is FILE:LINE.
func placeFile(place string) string {
	file, _, _ := strings.Cut(place, ":")
	return file
}

type nginx struct {
	*nginxconf.Config
	*Result
	http  []*nginxconf.Directive
	pools map[string]string             // name by settings
	done  map[*nginxconf.Directive]bool // directives that have been converted or noted
	pages []string                      // files that goodgate uses as error pages
}

// use marks directives that have been converted, or whose loss has been reported.
func (n *nginx) use(list ...*nginxconf.Directive) {
	for _, d := range list {
		n.done[d] = true
	}
}

// scope is a block with the blocks around it, the outermost first.
type scope [][]*nginxconf.Directive

// within returns the scope of a block in this one.
func (s scope) within(block []*nginxconf.Directive) scope { return append(slices.Clone(s), block) }

// any returns the directives with these names that apply here: those of the nearest
// block that has one, as nginx inherits lists.
func (s scope) any(names ...string) []*nginxconf.Directive {
	for _, block := range slices.Backward(s) {
		if all := named(block, names...); len(all) > 0 {
			return all
		}
	}
	return nil
}

// one returns the directive with this name that applies here, or one without a name.
func (s scope) one(name string) *nginxconf.Directive {
	if all := s.any(name); len(all) > 0 {
		return all[len(all)-1]
	}
	return &nginxconf.Directive{}
}

func named(block []*nginxconf.Directive, names ...string) (all []*nginxconf.Directive) {
	for _, d := range block {
		if slices.Contains(names, d.Name) {
			all = append(all, d)
		}
	}
	return all
}

// left notes the directives that were not converted, and refuses those that protect
// something.
func (n *nginx) left(block []*nginxconf.Directive) {
	for _, d := range block {
		_, known := meaningless[d.Name]
		lost, protects := protecting[d.Name]
		switch {
		case n.done[d], slices.Contains(readByName, d.Name):
		case protects && turnedOff[d.Name] != d.Arg(0):
			n.refuse(d.At(), d.Name, lost)
		case d.Name == "if":
			n.leftIf(d)
			continue
		case d.Name == "return" && denies(d):
			n.refuse(d.At(), d.Name, "requests would get access instead of status "+d.Arg(0))
		case d.Name == "map" && d.Arg(0) == "$http_upgrade": // goodgate recognizes WebSocket requests by itself
		case d.Name == "map" || d.Name == "geo":
			n.note(d.At(), d.Name+" "+d.Arg(0), "%s", leftOut(d.Name))
		case known, turnedOff[d.Name] == d.Arg(0) && d.Arg(0) != "":
		default:
			n.note(d.At(), said(d), "%s", leftOut(d.Name))
		}
		if slices.Contains([]string{"http", "server", "location"}, d.Name) {
			n.left(d.Block)
		}
	}
}

// said returns a directive as notes name it.
func said(d *nginxconf.Directive) string {
	switch d.Name {
	case "rewrite", "set", "location", "proxy_pass", "grpc_pass":
		return strings.Join(append([]string{d.Name}, d.Args...), " ")
	}
	return d.Name
}

// leftIf reports what is lost with an "if" that was not converted.
func (n *nginx) leftIf(d *nginxconf.Directive) {
	for _, in := range d.Block {
		if lost, protects := protecting[in.Name]; protects {
			n.refuse(d.At(), d.Name, "for requests with "+tested(d)+", "+lost)
			return
		}
		if in.Name == "return" || in.Name == "rewrite" && (in.Arg(2) == "permanent" || in.Arg(2) == "redirect") {
			n.refuse(d.At(), d.Name, unanswered(d, in))
			return
		}
	}
	n.note(d.At(), "if "+tested(d), "left out: convert cannot convert it as it is written here")
}

// unanswered returns what is lost with an "if" that answers requests by a return or a
// redirect.
func unanswered(d, in *nginxconf.Directive) string {
	instead := "a redirect"
	if in.Name == "return" && denies(in) {
		instead = "status " + in.Arg(0)
	} else if in.Name == "return" && strings.HasPrefix(in.Arg(0), "2") {
		instead = "this answer"
	}
	return "requests with " + tested(d) + " would get access instead of " + instead
}

// tested returns the condition of an "if".
func tested(d *nginxconf.Directive) string {
	words := slices.Clone(d.Args)
	for i, word := range words {
		if word == "" || strings.Contains(word, " ") {
			words[i] = `"` + word + `"`
		}
	}
	return "(" + strings.Join(words, " ") + ")"
}

// denies reports whether a return keeps clients out.
func denies(d *nginxconf.Directive) bool {
	return len(d.Arg(0)) == 3 && strings.Trim(d.Arg(0), "0123456789") == "" && d.Arg(0) >= "400"
}

// realIPFrom returns the networks of trusted proxies in all blocks.
func (n *nginx) realIPFrom() (networks []string) {
	all := named(n.http, "set_real_ip_from")
	for _, s := range n.Servers {
		all = append(all, named(s.Block, "set_real_ip_from")...)
	}
	for _, d := range all {
		p, ok := network(d.Arg(0))
		switch {
		case ok && !slices.Contains(networks, p):
			networks = append(networks, p)
		case !ok && d.Arg(0) != "unix:":
			n.note(d.At(), d.Name+" "+d.Arg(0), "left out: this is not a network")
		}
	}
	return networks
}

// trusted converts the trusted proxies.
func (n *nginx) trusted() {
	networks := n.realIPFrom()
	header := "X-Real-IP" // nginx's default
	for _, d := range named(n.http, "real_ip_header") {
		header = d.Arg(0)
	}
	for _, s := range n.Servers {
		if len(named(s.Block, "set_real_ip_from")) > 0 && len(n.Servers) > 1 {
			n.note(s.At(), "set_real_ip_from", "goodgate has one list, trusted_proxies, which applies to all servers")
		}
		for _, d := range named(s.Block, "real_ip_header") {
			header = d.Arg(0)
		}
	}
	if len(networks) == 0 || strings.EqualFold(header, "proxy_protocol") || !isField(header) {
		return
	}
	n.file.trusted = networks
	if !strings.EqualFold(header, "X-Forwarded-For") {
		n.file.trustedHeaders = []string{header, "X-Forwarded-Proto", "X-Request-Id"}
	}
}
