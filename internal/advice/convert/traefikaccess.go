package convert

import (
	"cmp"
	"net/url"
	"path"
	"slices"
	"strings"
)

// basicAuth converts the middleware basicAuth.
func (t *traefik) basicAuth(m *tree, name string, d *draft) {
	b := basicAuth{
		file: m.str("usersFile"), realm: cmp.Or(m.str("realm"), "traefik"),
		userHeader: m.str("headerField"), hide: m.on("removeHeader"),
	}
	lost := ""
	var accounts []account
	for _, user := range m.strs("users") {
		name, hash, _ := strings.Cut(user, ":")
		accounts = append(accounts, account{name, hash})
	}
	switch {
	case b.file != "" && len(accounts) > 0:
		lost = "put its users into its usersFile, because goodgate reads one file"
	case b.file != "" && !path.IsAbs(b.file):
		lost = "give the absolute path of its usersFile"
	case !isValue(b.realm) || !isValue(b.file) || b.userHeader != "" && !isClaim(b.userHeader):
		lost = "goodgate cannot use its realm, its file or its headerField"
	case b.file == "":
		var ok bool
		if b.file, ok = t.usersFile(m.at, "basicAuth", name+".users", accounts); !ok {
			lost = "goodgate cannot read its users"
		}
	default:
		t.note(m.at, "basicAuth", "the hashes in %s must be bcrypt or Argon2 (htpasswd -B); goodgate check names the first line with another hash", b.file)
	}
	if lost == "" && !d.asksFor(b) {
		lost = "a route can have only one list of users"
	}
	if lost != "" {
		t.refuse(m.at, "basicAuth", "password-protected pages would be open to everybody: "+lost+" (see access.basic)")
		return
	}
	t.note(m.at, "basicAuth", guessing)
}

// traefikAsked are the settings of forwardAuth that goodgate has, or that need no
// equivalent.
var traefikAsked = []string{"address", "tls", "trustForwardHeader", "authResponseHeaders", "addAuthCookiesToResponse", "maxResponseBodySize"}

// forwardAuth converts the middleware forwardAuth.
func (t *traefik) forwardAuth(m *tree, name string, d *draft) {
	lost := func(why string) {
		t.refuse(m.at, "forwardAuth", "pages protected by an authorization service would be open to everybody: "+why+" (see access.forward)")
	}
	for _, key := range m.keys {
		value := m.get(key)
		off := value.of == nil && value.items == nil && slices.Contains([]string{"", "false"}, strings.ToLower(value.text))
		if !off && !slices.ContainsFunc(traefikAsked, func(s string) bool { return strings.EqualFold(s, key) }) {
			lost("goodgate has no equivalent of " + key)
			return
		}
	}
	u, err := url.Parse(m.str("address"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		lost("goodgate cannot use its address as a URL")
		return
	}
	f := &forwardAuth{path: cmp.Or(u.EscapedPath(), "/")}
	if u.RawQuery != "" {
		f.path += "?" + u.RawQuery
	}
	for _, h := range m.strs("authResponseHeaders") {
		if f.copied = append(f.copied, h); !isClaim(h) {
			lost("goodgate does not pass the header " + h + " on")
			return
		}
	}
	if len(m.strs("addAuthCookiesToResponse")) > 0 {
		f.returned = []string{"Set-Cookie"}
		t.note(m.at, "forwardAuth addAuthCookiesToResponse", "clients get all cookies of the service's answer")
	}
	if f.pool = t.authPool(m, u, name); f.pool == "" || !isQuestion(f.path) {
		lost("goodgate cannot use its address")
		return
	}
	if why := d.asks(f); why != "" {
		lost(why)
		return
	}
	t.note(m.at, "forwardAuth", "clients get 503 if the service answers with 500 or more")
}

// authPool returns the pool of an authorization service.
func (t *traefik) authPool(m *tree, u *url.URL, name string) string {
	s := server{url: u.Scheme + "://" + u.Host}
	if u.Port() == "" {
		s.url += map[bool]string{true: ":443", false: ":80"}[u.Scheme == "https"]
	}
	tls := m.get("tls")
	p := &pool{name: freeName(t.file.pools, name), servers: []server{s}, ca: tls.str("ca"), insecure: tls.on("insecureSkipVerify"), cert: tls.str("cert"), key: tls.str("key")}
	t.usable(p, m.at, t.ownAddresses())
	if len(p.servers) == 0 || !isValue(p.ca+p.cert+p.key) || strings.Contains(p.ca+p.cert+p.key, "-----BEGIN") {
		return ""
	}
	return t.pooled(p, name)
}
