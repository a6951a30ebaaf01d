package convert

import (
	"cmp"
	"slices"
	"strings"
)

// Traefik converts a dynamic configuration of Traefik. If the static one is given,
// entry points and certificate resolvers come from there.
func Traefik(text []byte, file string, static []byte, staticFile string) (*Result, error) {
	root, err := parseTree(text, file)
	if err != nil {
		return nil, err
	}
	t := &traefik{Result: &Result{}, root: root, static: root, pools: map[string]string{}}
	if static != nil {
		if t.static, err = parseTree(static, staticFile); err != nil {
			return nil, err
		}
	}
	t.convert()
	return t.Result, nil
}

type traefik struct {
	*Result
	root, static *tree
	points       []*entryPoint
	pools        map[string]string
}

// entryPoint is a listen address of Traefik.
type entryPoint struct {
	*tree
	name string
	*listener
}

func (t *traefik) convert() {
	routers := t.routers()
	if len(routers) == 0 {
		t.Missing = "no HTTP router. convert reads Traefik's dynamic configuration, but no containers' labels and no Kubernetes objects"
		return
	}
	t.entryPoints(routers)
	t.overlapping("entryPoints")
	t.certificates(routers)
	t.forwarded()
	for _, p := range t.points {
		t.redirection(p)
	}
	t.routed(routers, draft{})
	t.left()
}

// entryPoints reads the entry points of the static configuration. Without one, it
// assumes web and websecure, as in Traefik's manual.
func (t *traefik) entryPoints(routers []*router) {
	for _, name := range t.static.names("entryPoints") {
		in := t.static.get("entryPoints", name)
		at, udp := strings.CutSuffix(in.str("address"), "/udp")
		at = strings.TrimSuffix(at, "/tcp")
		if udp || !isListener(at) {
			t.note(in.at, name, "left out: goodgate cannot listen on this address")
			in.use()
			continue
		}
		t.point(name, at, in)
	}
	if len(t.points) > 0 {
		t.spoken(routers)
		return
	}
	known := map[string]string{"web": ":80", "http": ":80", "websecure": ":443", "https": ":443"}
	for _, r := range routers {
		names := r.strs("entryPoints")
		if len(names) == 0 {
			names = []string{map[bool]string{true: "websecure", false: "web"}[r.secure()]}
		}
		for _, name := range names {
			at, ok := known[name]
			switch {
			case slices.ContainsFunc(t.points, func(p *entryPoint) bool { return p.name == name }):
			case !ok:
				t.refuse(r.at, "entryPoints", "the address of "+name+" is unknown, so its routes would serve other clients or nobody: name the static configuration with --static")
			default:
				t.note("", "entryPoints", "convert assumes that %s listens on %s. If not, name the static configuration with --static", name, at)
				t.point(name, at, &tree{})
			}
		}
	}
	t.spoken(routers)
}

func (t *traefik) point(name, at string, in *tree) {
	l := &listener{address: address(at), http3: in.get("http3") != nil}
	if slices.ContainsFunc(t.file.listeners, func(o *listener) bool { return o.address == l.address }) {
		return
	}
	if p := in.get("proxyProtocol"); p != nil {
		if l.proxied = ranges(p.strs("trustedIPs")); p.on("insecure") {
			l.proxied = []string{"0.0.0.0/0", "::/0"}
		}
	}
	t.file.listeners = append(t.file.listeners, l)
	t.points = append(t.points, &entryPoint{in, name, l})
}

// spoken decides which entry points have TLS. Traefik's may accept requests with and
// without it, goodgate's listeners only one of the two.
func (t *traefik) spoken(routers []*router) {
	for _, p := range t.points {
		byName, plainByName, secure := false, false, false
		for _, r := range routers {
			named := slices.Contains(r.strs("entryPoints"), p.name)
			if !named && len(r.strs("entryPoints")) > 0 {
				continue
			}
			if r.secure() {
				secure, byName = true, byName || named
			} else {
				plainByName = plainByName || named
			}
		}
		p.secure = p.get("http", "tls") != nil || byName || secure && !plainByName && portOf(p.listener.address) != "80"
		if p.secure && plainByName && p.get("http", "tls") == nil {
			t.note(p.at, p.name, "Traefik accepts requests with and without TLS here. goodgate's listener has TLS, so requests without TLS need another listener")
		}
	}
}

// reached returns the addresses of a router's entry points that match its use of TLS.
func (t *traefik) reached(r *router) (all []string) {
	names := r.strs("entryPoints")
	defaults := slices.ContainsFunc(t.points, func(p *entryPoint) bool { return p.on("asDefault") })
	for _, p := range t.points {
		named := slices.Contains(names, p.name) || len(names) == 0 && (!defaults || p.on("asDefault"))
		if secure := r.secure() || p.get("http", "tls") != nil; named && secure == p.secure {
			all = append(all, p.listener.address)
		}
	}
	return all
}

// certificates converts the TLS settings.
func (t *traefik) certificates(routers []*router) {
	tls := t.root.get("tls")
	var pairs [][2]string
	list := tls.all("certificates")
	for _, name := range tls.names("stores") {
		if c := tls.get("stores", name, "defaultCertificate"); c != nil {
			list = slices.Concat([]*tree{c}, list)
		}
	}
	for _, c := range list {
		pair := [2]string{c.str("certFile"), c.str("keyFile")}
		c.use()
		if strings.HasPrefix(pair[0], "-----") || pair[0] == "" || pair[1] == "" {
			t.note(c.at, "certificates", "left out: goodgate cannot read this file")
		} else if !slices.Contains(pairs, pair) {
			pairs = append(pairs, pair)
		}
	}
	for _, p := range t.points {
		if !p.secure {
			continue
		}
		p.certs = pairs
		t.ordered(p, routers)
		t.options(p, routers)
		if len(p.certs) == 0 && len(p.acme) == 0 {
			p.listener.http3 = false
			t.refuse(p.at, "tls", "clients of "+p.listener.address+" would be served without TLS, because it has no certificate")
		}
	}
}

// ordered converts the certificates that resolvers obtain for the routers of an entry
// point.
func (t *traefik) ordered(p *entryPoint, routers []*router) {
	for _, r := range routers {
		resolver := cmp.Or(r.str("tls", "certResolver"), p.str("http", "tls", "certResolver"))
		if resolver == "" || !slices.Contains(t.reached(r), p.listener.address) {
			continue
		}
		var names []string
		for _, d := range slices.Concat(r.all("tls", "domains"), p.all("http", "tls", "domains")) {
			names = append(append(names, d.str("main")), d.strs("sans")...)
		}
		if len(names) == 0 {
			names = r.names
		}
		by := t.static.get("certificatesResolvers", resolver, "acme")
		dns := t.dnsChallenge(by)
		if dns != "" {
			p.authority.dns = dns
		}
		for _, name := range names {
			rest, wild := strings.CutPrefix(name, "*.")
			switch {
			case wild && dns == "":
				t.refuse(r.at, "certResolver", name+" would have no certificate: set acme.dns and add the name to acme.hosts")
			case !isName(rest) || isInternal(rest):
				t.refuse(r.at, "certResolver", name+" would have no certificate")
			case !slices.Contains(p.acme, strings.ToLower(name)):
				p.acme = append(p.acme, strings.ToLower(name))
			}
		}
		if len(names) == 0 {
			t.note(r.at, "certResolver", "goodgate orders no certificate: the rule has no name")
		}
		if by == nil {
			t.note(r.at, "certResolver", "the file does not define %s: goodgate orders certificates from Let's Encrypt", resolver)
		}
		t.note("", "certResolver", "goodgate orders new certificates. With this configuration you accept the authority's terms of service")
		if email := by.str("email"); strings.Contains(email, "@") && !strings.ContainsAny(email, " <>{}\t\n\"") {
			p.authority.email = email
		}
		if ca := by.str("caServer"); strings.HasPrefix(ca, "https://") && !strings.ContainsAny(ca, " {}\t\n") {
			p.authority.directory = ca
		}
		by.use()
	}
}

// options converts the TLS options of the routers of an entry point, if they agree.
func (t *traefik) options(p *entryPoint, routers []*router) {
	var chosen []string
	for _, r := range routers {
		if slices.Contains(t.reached(r), p.listener.address) {
			name, _, _ := strings.Cut(cmp.Or(r.str("tls", "options"), p.str("http", "tls", "options"), "default"), "@")
			if !slices.Contains(chosen, name) {
				chosen = append(chosen, name)
			}
		}
	}
	clients := func(name string) *tree { return t.root.get("tls", "options", name, "clientAuth") }
	for _, name := range chosen {
		o := t.root.get("tls", "options", name)
		switch strict := o.str("minVersion") == "VersionTLS13"; {
		case strict && len(chosen) == 1:
			p.minVersion = "1.3"
		case strict:
			t.refuse(o.get("minVersion").at, "minVersion", "clients could use TLS 1.2, because the routers of this entry point have different TLS options")
		}
		a := clients(name)
		kind := a.str("clientAuthType")
		files := slices.Concat(a.strs("caFiles"), a.strs("secretNames"))
		switch {
		case a == nil || kind == "NoClientCert" || kind == "RequestClientCert":
		case len(chosen) == 1 && len(files) == 1 && (kind == "RequireAndVerifyClientCert" || kind == "VerifyClientCertIfGiven"):
			p.clientCA, p.optional = files[0], kind == "VerifyClientCertIfGiven"
		default:
			t.refuse(a.at, "clientAuth", "clients would need no certificate of these authorities")
		}
		o.use()
	}
}

// forwarded converts the trusted proxies.
func (t *traefik) forwarded() {
	for _, p := range t.points {
		f := p.get("forwardedHeaders")
		networks := ranges(f.strs("trustedIPs"))
		if f.on("insecure") {
			networks = []string{"0.0.0.0/0", "::/0"}
		}
		if len(t.file.trusted) > 0 && !slices.Equal(networks, t.file.trusted) && networks != nil {
			t.note(f.at, "forwardedHeaders", "goodgate has one list, trusted_proxies, which applies to all entry points")
		}
		for _, n := range networks {
			if !slices.Contains(t.file.trusted, n) {
				t.file.trusted = append(t.file.trusted, n)
			}
		}
	}
}

// redirection converts an entry point that redirects all requests to another one.
func (t *traefik) redirection(p *entryPoint) {
	to := p.get("http", "redirections", "entryPoint")
	if to == nil {
		return
	}
	scheme, port := cmp.Or(to.str("scheme"), "https"), ""
	if name := to.str("to"); strings.HasPrefix(name, ":") {
		port = name
	} else {
		for _, o := range t.points {
			if o.name == name {
				port = ":" + portOf(o.listener.address)
			}
		}
	}
	if port == ":443" && scheme == "https" || port == ":80" && scheme == "http" || strings.Trim(port, ":0123456789") != "" {
		port = ""
	}
	status := 301
	if to.str("permanent") == "false" {
		status = 302
	}
	to.use()
	if scheme != "http" && scheme != "https" {
		t.refuse(to.at, "redirections", "requests that it redirects would reach the application instead")
		return
	}
	t.add(route{conditions: t.at([]string{p.listener.address}, nil), answer: answer{redirect: scheme + "://{host}" + port + "{path}{query}", status: status}})
}

// left notes the parts that were not read.
func (t *traefik) left() {
	for _, key := range []string{"filePath", "format", "filters", "fields"} {
		if in := t.static.get("accessLog", key); in != nil {
			t.note(in.at, "accessLog "+key, "left out: goodgate logs all requests to standard error (see log.output, log.format and log.only)")
		}
	}
	for _, key := range []string{"global", "log", "accessLog", "api", "metrics", "tracing", "ping", "core", "spiffe", "hostResolver", "experimental", "certificatesResolvers"} {
		if t.static != t.root || key != "experimental" {
			t.static.get(key).use()
		}
	}
	for _, kind := range []string{"services", "middlewares", "serversTransports"} {
		t.root.get("http", kind)
	}
	t.root.get("tls", "options")
	for _, kind := range []string{"tcp", "udp"} {
		if in := t.root.get(kind); in != nil {
			t.note(in.at, kind, "left out: goodgate forwards only HTTP")
			in.use()
		}
	}
	for _, name := range t.static.names("providers") {
		in := t.static.get("providers", name)
		if name != "file" {
			t.note(in.at, "providers."+name, "left out: convert reads only the files that you name")
		}
		in.use()
	}
	say := func(words []string, in *tree) {
		what := words[len(words)-1]
		switch {
		case slices.Contains([]string{"transport", "http2", "reusePort", "observability", "ruleSyntax", "asDefault", "udp", "serversTransport", "sniStrict", "curvePreferences", "cipherSuites", "alpnProtocols", "maxVersion", "preferServerCipherSuites", "address"}, what):
			// about Traefik's sockets or log, or TLS settings that Go chooses
		case len(words) > 2 && words[0] == "http" && (words[1] == "middlewares" || words[1] == "services" || words[1] == "serversTransports"):
			t.note(t.root.get("http", words[1], words[2]).place(), words[2], "left out: no router uses it")
		case len(words) > 2 && words[0] == "http" && words[1] == "routers" && what == "service":
			t.note(t.root.get("http", words[1], words[2]).place(), words[2], "is never reached, because the routers before it answer all requests")
		default:
			t.note(in.at, what, "left out: goodgate has no equivalent")
		}
	}
	t.root.unread(say)
	if t.static != t.root {
		t.static.unread(say)
	}
}
