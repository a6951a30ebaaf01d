package convert

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/caddyfile"
)

// signIn builds the JSON of basic_auth.
func (a *adapter) signIn(d *caddyfile.Directive, args []string) *tree {
	basic := object(d.At, "realm", first(args[min(1, len(args)):]))
	if kind := first(args); kind != "" {
		basic.set("hash", object(d.At, "algorithm", kind))
	}
	if len(args) > 2 {
		basic.set("unknown", &tree{at: d.At, text: args[2]})
	}
	var accounts []*tree
	for _, l := range d.Block {
		user := object(l.At, "username", l.Name, "password", l.Arg(0))
		if len(l.Args) != 1 {
			user.set("salt", &tree{at: l.At, text: "?"})
		}
		accounts = append(accounts, user)
	}
	return object(d.At, "handler", "authentication", "providers", object(d.At, "http_basic", basicWith(basic, accounts)))
}

func basicWith(basic *tree, accounts []*tree) *tree {
	basic.set("accounts", &tree{at: basic.at, items: accounts})
	return basic
}

// askingHandler is a handler of ours for forward_auth, which Caddy turns into a
// reverse_proxy.
const askingHandler = "@forward_auth"

// asking builds the JSON of forward_auth.
func (a *adapter) asking(d *caddyfile.Directive, args []string) *tree {
	plain := &caddyfile.Directive{At: d.At, Name: d.Name}
	var uri string
	var copied []string
	unknown := false
	for _, l := range d.Block {
		switch l.Name {
		case "uri":
			uri = first(long(l.Args))
		case "copy_headers":
			copied = append(copied, l.Args...)
			for _, in := range l.Block {
				copied = append(copied, in.Name)
				unknown = unknown || len(in.Args) > 0
			}
		case "method", "rewrite", "handle_response", "replace_status", "header_down":
			unknown = true
		default:
			plain.Block = append(plain.Block, l)
			unknown = unknown || strings.HasPrefix(l.Name, "@")
		}
	}
	h := a.reverseProxy(plain, args)
	h.set("handler", &tree{at: d.At, text: askingHandler})
	for _, kv := range []struct {
		key string
		v   *tree
	}{{"uri", &tree{at: d.At, text: uri}}, {"copy_headers", texts(d.At, copied)}} {
		h.set(kv.key, kv.v)
	}
	if unknown {
		h.set("unknown", &tree{at: d.At, text: "true"})
	}
	return h
}

// authentication converts basic_auth.
func (c *caddy) authentication(h *tree, d *draft) {
	defer h.use()
	what := c.what([]*tree{h})
	basic := h.get("providers", "http_basic")
	lost := func(why string) {
		c.refuse(h.at, what, "password-protected pages would be open to everybody: "+why+" (see access.basic)")
	}
	if basic == nil || len(h.names("providers")) != 1 {
		lost("it uses a provider other than basic_auth")
		return
	}
	algorithm := cmp.Or(basic.str("hash", "algorithm"), "bcrypt")
	realm := cmp.Or(basic.str("realm"), "restricted")
	if algorithm != "bcrypt" && algorithm != "argon2id" || basic.get("unknown") != nil || !plainValue(realm) {
		lost("goodgate cannot use its realm or its kind of hashes")
		return
	}
	var accounts []account
	for _, in := range basic.all("accounts") {
		hash := in.str("password")
		if raw, err := base64.StdEncoding.DecodeString(hash); err == nil && strings.HasPrefix(string(raw), "$") {
			hash = string(raw)
		}
		if in.get("salt") != nil || strings.Contains(in.str("username")+hash, "{") {
			lost("a user's hash is not plain text")
			return
		}
		accounts = append(accounts, account{in.str("username"), hash})
	}
	b := basicAuth{realm: realm}
	var ok bool
	if b.file, ok = c.usersFile(h.at, what, "users", accounts); !ok {
		lost("goodgate cannot read its users")
		return
	}
	if !d.asksFor(b) {
		lost("a route can have only one list of users")
		return
	}
	c.note(h.at, what, guessing)
}

// forwardAuth converts forward_auth.
func (c *caddy) forwardAuth(h *tree, d *draft) {
	defer h.use()
	what := c.what([]*tree{h})
	lost := func(why string) {
		c.refuse(h.at, what, "pages protected by an authorization service would be open to everybody: "+why+" (see access.forward)")
	}
	f := &forwardAuth{path: h.str("uri"), copied: h.strs("copy_headers")}
	protocol := h.str("transport", "protocol")
	secure := h.get("transport", "tls") != nil
	switch {
	case h.get("unknown") != nil || protocol != "" && protocol != "http":
		lost("goodgate has no equivalent of some of its settings")
		return
	case !isQuestion(f.path):
		lost("goodgate has no equivalent of its uri")
		return
	case slices.ContainsFunc(f.copied, func(s string) bool { return !isClaim(s) || strings.Contains(s, ">") }):
		lost("it renames copied headers, or copies headers that goodgate does not pass on")
		return
	}
	question := *d
	request := h.get("headers", "request")
	host := cmp.Or(strings.Join(request.strs("set", "Host"), ""), map[bool]string{true: "{http.reverse_proxy.upstream.hostport}"}[secure])
	own := strings.HasPrefix(host, "{http.reverse_proxy.upstream.")
	before := len(c.Notes)
	c.requestFields(request, what, &question)
	if len(c.Notes) > before {
		lost("it sets headers of the authentication request that goodgate cannot set")
		return
	}
	if f.pool = c.pool(h, what, secure); f.pool == "" {
		lost("goodgate cannot use the address of its server")
		return
	}
	if why := question.asks(f); why != "" {
		lost(why)
		return
	}
	d.forward = f
	if !own {
		c.refuse(h.at, what+" Host", "goodgate sends the service its own name as Host, and the client's as X-Forwarded-Host; Caddy sends the client's as Host. Accept this to get the route with its access.forward. If the service reads Host, then add host: keep to access.forward")
	}
}

// encode converts the compression of answers.
func (c *caddy) encode(h *tree, d *draft) {
	defer h.use()
	what := c.what([]*tree{h})
	encodings := h.strs("prefer")
	for _, name := range h.names("encodings") {
		if !slices.Contains(encodings, name) {
			encodings = append(encodings, name)
		}
	}
	least := cmp.Or(h.num("minimum_length"), 512)
	if !d.compressing(encodings, least) {
		c.note(h.at, what, "left out: goodgate compresses only with gzip and zstd")
		return
	}
	if h.get("match") != nil {
		c.note(h.at, what+" match", "left out: set compress.types instead")
	}
}

// encoding builds the JSON of encode.
func (a *adapter) encoding(d *caddyfile.Directive, args []string) *tree {
	names := slices.Clone(args)
	h := object(d.At, "handler", "encode")
	for _, l := range d.Block {
		switch l.Name {
		case "minimum_length":
			h.set("minimum_length", &tree{at: l.At, text: l.Arg(0)})
		case "match":
			h.set("match", object(l.At))
		default:
			names = append(names, l.Name)
		}
	}
	if len(names) == 0 {
		names = []string{"zstd", "gzip"}
	}
	h.set("prefer", texts(d.At, names))
	return h
}
