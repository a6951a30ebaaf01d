package convert

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// signIn converts auth_basic.
func (n *nginx) signIn(sc scope, r *route) {
	d, file := sc.one("auth_basic"), sc.one("auth_basic_user_file")
	name, realm := file.Arg(0), d.Arg(0)
	if d.Name == "" || realm == "off" && len(d.Args) == 1 {
		return
	}
	n.use(d, file)
	if realm == "" || strings.Contains(realm, "$") || len(d.Args) != 1 || !isValue(realm) ||
		sc.one("satisfy").Arg(0) == "any" && either(sc) == nil ||
		!path.IsAbs(name) || strings.Contains(name, "$") || len(file.Args) != 1 {
		why := ""
		if name != "" && !path.IsAbs(name) && !strings.Contains(name, "$") {
			why = ". goodgate needs an absolute path in auth_basic_user_file"
		}
		n.refuse(d.At(), d.Name, protecting[d.Name]+why)
		return
	}
	r.basic = &basicAuth{file: name, realm: realm}
	n.note(d.At(), d.Name, "the hashes in %s must be bcrypt or Argon2 (htpasswd -B); goodgate check names the first line with another hash. A client gets 429 after 10 wrong passwords in a minute", name)
}

// either returns the networks of "satisfy any", whose clients need neither a password
// nor permission. It returns nil if allow and deny say anything else.
func either(sc scope) (networks []string) {
	rules := sc.any("allow", "deny")
	for i, d := range rules {
		text, ok := network(d.Arg(0))
		switch {
		case d.Name == "deny" && d.Arg(0) == "all" && i == len(rules)-1:
			return networks
		case d.Name == "deny" || !ok:
			return nil
		}
		networks = append(networks, text)
	}
	return nil
}

// satisfied converts "satisfy any", after the route's password or permission check.
func (n *nginx) satisfied(sc scope, r *route) {
	d := sc.one("satisfy")
	networks := either(sc)
	if d.Arg(0) != "any" || len(networks) == 0 || r.basic == nil && r.forward == nil {
		return
	}
	r.either = list(networks)
	n.use(d)
	n.use(sc.any("allow", "deny")...)
}

// compressed converts gzip.
func (n *nginx) compressed(sc scope, r *route) {
	d := sc.one("gzip")
	if d.Arg(0) != "on" || len(d.Args) != 1 {
		return
	}
	types := []string{"text/html"}
	for _, t := range sc.one("gzip_types").Args {
		kind, sub, ok := strings.Cut(t, "/")
		switch {
		case t == "*":
			types = []string{"text/*", "application/*", "image/svg+xml"}
		case !ok || kind == "" || sub == "" || strings.ContainsAny(t, "*$ ;,"):
			return // it is noted
		case !slices.Contains(types, strings.ToLower(t)):
			types = append(types, strings.ToLower(t))
		}
	}
	least := 20 // nginx's default
	if text := sc.one("gzip_min_length").Arg(0); text != "" {
		var err error
		if least, err = strconv.Atoi(text); err != nil || least < 0 || least > 1<<30 {
			return
		}
	}
	r.compress = "{encodings: gzip, types: " + list(types) + ", min_size: " + strconv.Itoa(least) + "B}"
	n.use(d)
	for _, name := range []string{"gzip_types", "gzip_min_length", "gzip_vary", "gzip_proxied", "gzip_comp_level", "gzip_buffers", "gzip_disable", "gzip_http_version"} {
		n.use(sc.one(name)) // the last of these are about levels and old clients; goodgate goes by Accept-Encoding
	}
}
