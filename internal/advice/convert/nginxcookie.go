package convert

import (
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// cookies converts proxy_cookie_domain and proxy_cookie_path, also with the flags that
// a path often has.
func (n *nginx) cookies(l *nginxconf.Location, list []*nginxconf.Directive, r *route, out *[]rewrite) {
	for _, d := range list {
		from, to := n.constant(l, d.Arg(0)), n.constant(l, d.Arg(1))
		if from == "off" {
			return
		}
		path, flags, _ := strings.Cut(to, ";")
		if strings.Contains(to, ";") && n.everyPath(from, path) {
			words := strings.Fields(strings.ToLower(strings.ReplaceAll(strings.ReplaceAll(flags, " =", "="), ";", " ")))
			if entry, ok := cookieFlags(`name: "*"`, words); ok {
				r.cookieFlags = append(r.cookieFlags, entry)
				continue
			}
		}
		if strings.Contains(to, ";") && d.Name != "proxy_cookie_path" || len(d.Args) != 2 || from == "" {
			n.lostCookie(d, to)
			continue
		}
		if rest, isExpression := strings.CutPrefix(from, "~"); isExpression && d.Name == "proxy_cookie_domain" {
			from = "~*" + strings.TrimPrefix(rest, "*") // nginx ignores the case of domains
		}
		if entry, ok := n.rewriteTo(l, from, to); ok {
			*out = append(*out, entry)
		} else {
			n.lostCookie(d, to)
		}
	}
}

// everyPath reports whether a proxy_cookie_path leaves all paths unchanged, and only
// adds flags.
func (n *nginx) everyPath(from, to string) bool {
	return from == to && from == "/" || slices.Contains([]string{"~(.*)", "~^(.*)$", "~^(.+)$", "~(.+)", "~*^(.+)$", "~^(/.*)$"}, from) && to == "$1"
}

func (n *nginx) lostCookie(d *nginxconf.Directive, to string) {
	if strings.Contains(to, ";") {
		n.refuse(d.At(), d.Name, "cookies would lack the attributes that it adds")
	} else {
		n.note(d.At(), d.Name+" "+d.Arg(0), "left out: goodgate does not have its variable or cannot read its expression (see response_rewrites)")
	}
}

// rewriteTo returns an entry that replaces a text, or with ~ an expression.
func (n *nginx) rewriteTo(l *nginxconf.Location, from, to string) (rewrite, bool) {
	text, isExpression := strings.CutPrefix(from, "~")
	if !isExpression {
		filled, ok := filling{server: serverName(l)}.fill(to)
		return rewrite{from: from, to: filled}, ok && !strings.Contains(from, "$") && from != "" && isValue(from+filled)
	}
	text, anyCase := strings.CutPrefix(text, "*")
	re, ok := expression(text, anyCase)
	groups := groupsOf(re)
	to, only := numberedGroups(to, groups)
	return rewrite{from: re, to: to, regexp: true}, ok && only && isValue(to)
}

// numberedGroups writes $1 as ${1}, so that following digits do not become part of it.
// ok is false if there is another variable.
func numberedGroups(to string, groups []string) (text string, ok bool) {
	ok = true
	text = variable.ReplaceAllStringFunc(to, func(v string) string {
		name := strings.Trim(v, "${}")
		if name > "9" || name < "1" {
			ok = false
			return v
		}
		ok = ok && int(name[0]-'0') < len(groups)
		return "${" + name[:1] + "}" + name[1:]
	})
	return text, ok && strings.Count(text, "$") == strings.Count(text, "${")
}

// flagged converts proxy_cookie_flags.
func (n *nginx) flagged(list []*nginxconf.Directive, r *route) {
	for _, d := range list {
		if d.Arg(0) == "off" {
			return
		}
		which, ok := whichCookie(d.Arg(0))
		entry, said := cookieFlags(which, d.Args[min(1, len(d.Args)):])
		if !ok || !said {
			n.refuse(d.At(), d.Name, protecting[d.Name])
			continue
		}
		n.use(d)
		r.cookieFlags = append(r.cookieFlags, entry)
	}
}

func whichCookie(text string) (string, bool) {
	if re, ok := strings.CutPrefix(text, "~"); ok {
		if re == "" {
			return `name: "*"`, true
		}
		re, ok = expression(re, true) // nginx ignores case here
		return "regexp: " + quote(re), ok
	}
	return "name: " + quote(text), isToken(text) && text != "*" && !strings.Contains(text, "$")
}

// cookieFlags returns an entry of cookie_flags for nginx's flags.
func cookieFlags(which string, words []string) (string, bool) {
	var entry strings.Builder
	entry.WriteString("{" + which)
	for _, word := range words {
		switch word = strings.ToLower(word); word {
		case "secure", "nosecure":
			entry.WriteString(", secure: " + setOrRemove(word))
		case "httponly", "nohttponly":
			entry.WriteString(", http_only: " + setOrRemove(word))
		case "samesite=strict", "samesite=lax", "samesite=none":
			entry.WriteString(", same_site: " + word[len("samesite="):])
		case "nosamesite":
			entry.WriteString(", same_site: remove")
		default:
			return "", false
		}
	}
	return entry.String() + "}", len(words) > 0
}

func setOrRemove(word string) string {
	if strings.HasPrefix(word, "no") {
		return "remove"
	}
	return "set"
}

func serverName(l *nginxconf.Location) string {
	if len(l.Server.Names) > 0 {
		return l.Server.Names[0]
	}
	return ""
}
