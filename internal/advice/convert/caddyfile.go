package convert

import (
	"cmp"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/caddyfile"
)

// Caddyfile converts a Caddyfile: it builds the same JSON as Caddy's own adapter, and
// converts that.
func Caddyfile(cfg *caddyfile.Config) *Result {
	a := &adapter{Config: cfg, Result: &Result{}, plain: "80", secure: "443", servers: map[string]*site{}, order: slices.Clone(caddyOrder)}
	a.problems()
	for _, d := range cfg.Options {
		a.option(d)
	}
	for _, s := range cfg.Sites {
		a.site(s)
	}
	servers := &tree{of: map[string]*tree{}}
	for _, s := range a.listening {
		servers.set(s.listen, a.serverTree(s))
	}
	if a.standard != nil {
		a.policies = append(a.policies, a.standard)
	}
	http := object("", "http_port", a.plain, "https_port", a.secure, "servers", servers)
	automation := object("", "policies", a.policies)
	tls := object("", "automation", automation, "certificates", object("", "load_files", a.files))
	root := object("", "apps", object("", "http", http, "tls", tls))
	root.set("@loaded", texts("", a.loaded))
	return fromCaddy(root, a.Result)
}

func (a *adapter) problems() {
	for _, p := range a.Problems {
		if p.What == "import" {
			a.refuse(p.Where, p.What, p.Text)
		} else {
			a.note(p.Where, p.What, "%s", p.Text)
		}
	}
}

// adapter builds Caddy's JSON from a Caddyfile.
type adapter struct {
	*caddyfile.Config
	*Result
	plain, secure string // HTTP and HTTPS ports
	autoHTTPS     string
	bound         []string
	order         []string // the order of directives
	servers       map[string]*site
	listening     []*site // one for each address
	options       []*tree // options of servers
	policies      []*tree // policies for certificates
	standard      *tree   // the policy for all other names
	files         []*tree // certificates
	loaded        []string
	groups        int
	local         bool // certificates come from Caddy's own authority
	issuer        map[string]string
}

// site is a listen address with the blocks that serve it.
type site struct {
	listen string
	blocks []siteBlock
	skip   []string // names without HTTPS
}

type siteBlock struct {
	hosts, paths []string
	source       *caddyfile.Site
	tls          *tree
}

// siteAddress is an address of a site.
type siteAddress struct{ scheme, host, port, path string }

func parseSite(text string) (a siteAddress) {
	if i := strings.Index(text, "://"); i >= 0 {
		a.scheme, text = strings.ToLower(text[:i]), text[i+3:]
	}
	if i := strings.Index(text, "/"); i >= 0 {
		text, a.path = text[:i], text[i:]
	}
	a.host = text
	if host, port, err := net.SplitHostPort(text); err == nil {
		a.host, a.port = host, port
	}
	a.host = strings.ToLower(strings.Trim(a.host, "[]"))
	if a.path == "/" {
		a.path = ""
	}
	return a
}

// listens returns the listen address of a site, without its host.
func (a *adapter) listens(s siteAddress) string {
	switch {
	case s.port != "":
		return s.port
	case s.scheme == "http" || a.autoHTTPS == "off" && s.scheme == "":
		return a.plain
	}
	return a.secure
}

// site groups the addresses of a block by listen address.
func (a *adapter) site(s *caddyfile.Site) {
	binds := a.bound
	for _, d := range s.Block {
		if d.Name == "bind" {
			binds = d.Args
		}
	}
	if len(binds) == 0 {
		binds = []string{""}
	}
	var parsed []siteAddress
	for _, text := range s.Addresses {
		parsed = append(parsed, parseSite(text))
	}
	policy := a.siteTLS(s, parsed)
	for _, p := range parsed {
		for _, host := range binds {
			listen := net.JoinHostPort(strings.Trim(host, "[]"), a.listens(p))
			if strings.HasPrefix(host, "unix/") {
				listen = host
			}
			v := a.servers[listen]
			if v == nil {
				v = &site{listen: listen}
				a.servers[listen] = v
				a.listening = append(a.listening, v)
			}
			if p.scheme == "http" && p.host != "" {
				v.skip = append(v.skip, p.host)
			}
			v.add(s, p, policy)
		}
	}
}

// add adds an address of a block. Addresses with the same path share one entry.
func (v *site) add(s *caddyfile.Site, p siteAddress, tls *tree) {
	var paths []string
	if p.path != "" {
		paths = []string{p.path}
	}
	for i := range v.blocks {
		if b := &v.blocks[i]; b.source == s && slices.Equal(b.paths, paths) {
			if p.host == "" || len(b.hosts) == 0 {
				b.hosts = nil
			} else if !slices.Contains(b.hosts, p.host) {
				b.hosts = append(b.hosts, p.host)
			}
			return
		}
	}
	b := siteBlock{source: s, paths: paths, tls: tls}
	if p.host != "" {
		b.hosts = []string{p.host}
	}
	v.blocks = append(v.blocks, b)
}

// rank returns how specific a block is. Caddy tries the longest names first, then
// wildcards, then blocks without a name.
func (b siteBlock) rank() (class, host, path int) {
	for _, h := range b.hosts {
		if strings.Contains(h, "*") {
			class = 1
		}
		host = max(host, len(h)-strings.Count(h, "*"))
	}
	for _, p := range b.paths {
		path = max(path, len(p)-strings.Count(p, "*"))
	}
	if len(b.hosts) == 0 {
		class = 2
	}
	return class, host, path
}

func (a *adapter) serverTree(v *site) *tree {
	slices.SortStableFunc(v.blocks, func(x, y siteBlock) int {
		xc, xh, xp := x.rank()
		yc, yh, yp := y.rank()
		return cmp.Or(xc-yc, yh-xh, yp-xp)
	})
	at := v.blocks[0].source.At
	t := object(at, "listen", []string{v.listen})
	var routes, policies []*tree
	clients, named := 0, false
	for _, b := range v.blocks {
		at := b.source.At
		var match []*tree
		if len(b.hosts)+len(b.paths) > 0 {
			match = []*tree{object(at, "host", b.hosts, "path", b.paths)}
		}
		named = named || len(b.hosts) > 0
		inner := a.block(b.source.Block, true, nil)
		handler := object(at, "handler", "subroute", "routes", inner)
		routes = append(routes, object(at, "match", match, "handle", []*tree{handler}, "terminal", "true"))
		policy := object(at)
		if b.tls != nil {
			policy = b.tls
			clients++
		}
		policies = append(policies, policy)
	}
	t.set("routes", &tree{at: at, items: routes})
	_, port, _ := net.SplitHostPort(v.listen)
	if a.autoHTTPS != "off" && port != a.plain && (clients > 0 || !named && port == a.secure) {
		t.set("tls_connection_policies", &tree{at: at, items: policies})
	}
	auto := object(at, "skip", v.skip, "disable", a.autoHTTPS == "off", "disable_redirects", a.autoHTTPS == "disable_redirects", "disable_certificates", a.autoHTTPS == "disable_certs")
	t.set("automatic_https", auto)
	t.set("named_routes", a.namedRoutes())
	for _, o := range a.options {
		if only := o.str("@listener"); only == "" || only == v.listen {
			for _, key := range o.keys {
				t.set(key, o.of[key])
			}
		}
	}
	return t
}

func (a *adapter) namedRoutes() *tree {
	t := object("")
	for _, name := range slices.Sorted(maps.Keys(a.Named)) {
		t.set(name, object("", "handle", []*tree{object("", "handler", "subroute", "routes", a.block(a.Named[name], true, nil))}))
	}
	return t
}

// option reads one of the global options.
func (a *adapter) option(d *caddyfile.Directive) {
	switch d.Name {
	case "http_port":
		a.plain = d.Arg(0)
	case "https_port":
		a.secure = d.Arg(0)
	case "auto_https":
		if a.autoHTTPS = d.Arg(0); a.autoHTTPS == "prefer_wildcard" || a.autoHTTPS == "ignore_loaded_certs" {
			a.autoHTTPS = ""
		}
	case "default_bind":
		a.bound = d.Args
	case "email", "acme_ca", "acme_ca_root":
		if a.issuer == nil {
			a.issuer = map[string]string{}
		}
		a.issuer[d.Name] = d.Arg(0)
	case "acme_dns":
		if a.issuer == nil {
			a.issuer = map[string]string{}
		}
		dnsLine(d, a.issuer)
	case "local_certs":
		a.local = true
	case "order":
		a.reorder(d)
	case "servers":
		a.serverOptions(d)
	case "admin", "debug", "log", "storage", "storage_check", "storage_clean_interval", "grace_period", "shutdown_delay", "persist_config", "skip_install_trust", "key_type",
		"renew_interval", "renewal_window_ratio", "ocsp_interval", "ocsp_stapling", "default_sni", "fallback_sni", "metrics", "cert_lifetime", "pki", "preferred_chains", "tls_resolvers", "filesystem", "events":
		// about Caddy's process, its log, its certificates and its files
	default:
		a.note(d.At, d.Name, "left out: goodgate has no equivalent")
	}
	a.standard = a.policy("", a.issuer, a.local)
}

// reorder reads the option "order".
func (a *adapter) reorder(d *caddyfile.Directive) {
	name, where, other := d.Arg(0), d.Arg(1), d.Arg(2)
	list := slices.DeleteFunc(slices.Clone(a.order), func(s string) bool { return s == name })
	i := slices.Index(list, other)
	switch {
	case where == "first":
		i = 0
	case where == "last":
		i = len(list)
	case where == "after" && i >= 0:
		i++
	case where == "before" && i >= 0:
	default:
		a.note(d.At, "order", "left out: convert cannot read it")
		return
	}
	a.order = slices.Insert(list, i, name)
}

// serverOptions reads the option "servers".
func (a *adapter) serverOptions(d *caddyfile.Directive) {
	t := object(d.At)
	if d.Arg(0) != "" {
		t.set("@listener", &tree{text: net.JoinHostPort("", strings.TrimPrefix(d.Arg(0), ":"))})
	}
	for _, o := range d.Block {
		switch o.Name {
		case "trusted_proxies":
			t.set(o.Name, object(o.At, "source", o.Arg(0), "ranges", o.Args[min(1, len(o.Args)):]))
		case "client_ip_headers", "protocols":
			t.set(o.Name, texts(o.At, o.Args))
		case "listener_wrappers":
			var list []*tree
			for _, w := range o.Block {
				one := object(w.At, "wrapper", w.Name)
				for _, p := range w.Block {
					one.set(p.Name, texts(p.At, p.Args))
				}
				list = append(list, one)
			}
			t.set(o.Name, &tree{at: o.At, items: list})
		case "timeouts":
			for _, in := range o.Block {
				key, known := map[string]string{"read_header": "read_header_timeout", "idle": "idle_timeout", "read_body": "read_timeout", "write": "write_timeout"}[in.Name]
				if known {
					t.set(key, &tree{at: in.At, text: in.Arg(0)})
				}
			}
		case "max_header_size":
			t.set("max_header_bytes", &tree{at: o.At, text: o.Arg(0)})
		case "name", "trusted_proxies_strict", "log_credentials", "metrics", "trace", "strict_sni_host", "enable_full_duplex":
		default:
			a.note(o.At, o.Name, "left out: see listeners for goodgate's settings")
		}
	}
	a.options = append(a.options, t)
}
