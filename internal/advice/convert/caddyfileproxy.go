package convert

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/caddyfile"
)

// dialled returns the addresses in one argument of reverse_proxy, and their scheme.
func dialled(text string) (list []string, scheme string) {
	if before, after, ok := strings.Cut(text, "://"); ok {
		scheme, text = before, strings.TrimSuffix(after, "/")
	}
	if strings.HasPrefix(text, "unix/") || strings.Contains(text, "{") {
		return []string{text}, scheme
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = strings.Trim(text, "[]"), map[bool]string{true: "443", false: "80"}[scheme == "https"]
	}
	begin, end, isRange := strings.Cut(port, "-")
	from, err1 := strconv.Atoi(begin)
	to, err2 := strconv.Atoi(end)
	if !isRange || err1 != nil || err2 != nil || to < from || to-from > 1000 {
		return []string{net.JoinHostPort(host, port)}, scheme
	}
	for n := from; n <= to; n++ {
		list = append(list, net.JoinHostPort(host, strconv.Itoa(n)))
	}
	return list, scheme
}

// put sets the value at a path of keys.
func (t *tree) put(v *tree, path ...string) {
	for _, key := range path[:len(path)-1] {
		if t.of[key] == nil {
			t.set(key, object(v.at))
		}
		t = t.of[key]
	}
	t.set(path[len(path)-1], v)
}

// proxyKeys maps the subdirectives of reverse_proxy with one argument to their place in
// the JSON.
var proxyKeys = map[string][]string{
	"lb_retries": {"load_balancing", "retries"}, "lb_try_duration": {"load_balancing", "try_duration"}, "lb_try_interval": {"load_balancing", "try_interval"},
	"lb_retry_match": {"load_balancing", "retry_match"},
	"health_uri":     {"health_checks", "active", "uri"}, "health_path": {"health_checks", "active", "path"}, "health_port": {"health_checks", "active", "port"},
	"health_upstream": {"health_checks", "active", "upstream"}, "health_method": {"health_checks", "active", "method"}, "health_interval": {"health_checks", "active", "interval"},
	"health_timeout": {"health_checks", "active", "timeout"}, "health_status": {"health_checks", "active", "expect_status"}, "health_body": {"health_checks", "active", "expect_body"},
	"health_passes": {"health_checks", "active", "passes"}, "health_fails": {"health_checks", "active", "fails"}, "health_follow_redirects": {"health_checks", "active", "follow_redirects"},
	"health_request_body": {"health_checks", "active", "body"},
	"max_fails":           {"health_checks", "passive", "max_fails"}, "fail_duration": {"health_checks", "passive", "fail_duration"},
	"unhealthy_request_count": {"health_checks", "passive", "unhealthy_request_count"}, "unhealthy_status": {"health_checks", "passive", "unhealthy_status"},
	"unhealthy_latency": {"health_checks", "passive", "unhealthy_latency"},
	"flush_interval":    {"flush_interval"}, "request_buffers": {"request_buffers"}, "response_buffers": {"response_buffers"}, "stream_timeout": {"stream_timeout"},
	"stream_close_delay": {"stream_close_delay"}, "stream_buffer_size": {"stream_buffer_size"}, "trusted_proxies": {"trusted_proxies"}, "verbose_logs": {"verbose_logs"},
	"proxy_status_name": {"proxy_status_name"}, "method": {"rewrite", "method"}, "rewrite": {"rewrite", "uri"},
}

// reverseProxy builds the JSON of a reverse_proxy.
func (a *adapter) reverseProxy(d *caddyfile.Directive, args []string) *tree {
	h := object(d.At, "handler", "reverse_proxy")
	upstreams := args
	for _, l := range d.Block {
		words := long(l.Args)
		path, known := proxyKeys[l.Name]
		switch {
		case known:
			h.put(&tree{at: l.At, text: first(words)}, path...)
		case l.Name == "to":
			upstreams = append(slices.Clone(upstreams), words...)
		case l.Name == "lb_policy":
			h.put(policyOf(l, words), "load_balancing", "selection_policy")
		case l.Name == "health_headers":
			for _, f := range l.Block {
				h.put(texts(f.At, long(f.Args)), "health_checks", "active", "headers", f.Name)
			}
		case l.Name == "header_up" && len(words) > 0, l.Name == "header_down" && len(words) > 0:
			side := map[string]string{"header_up": "request", "header_down": "response"}[l.Name]
			if h.of["headers"] == nil || h.of["headers"].of[side] == nil {
				h.put(object(l.At), "headers", side)
			}
			fieldOp(h.of["headers"].of[side], l.At, words)
		case l.Name == "transport":
			a.transportLine(h, l)
		case l.Name == "dynamic":
			h.set("dynamic_upstreams", dynamicOf(l))
		case l.Name == "handle_response", l.Name == "replace_status":
			h.set("handle_response", &tree{at: l.At, items: []*tree{object(l.At)}})
		case strings.HasPrefix(l.Name, "@"): // defines a response matcher for handle_response
		default:
			a.note(l.At, d.Name+" "+l.Name, "left out: goodgate has no equivalent")
		}
	}
	var list []*tree
	for _, u := range upstreams {
		addresses, scheme := dialled(u)
		for _, dial := range addresses {
			list = append(list, object(d.At, "dial", dial))
		}
		if scheme == "https" && (h.of["transport"] == nil || h.of["transport"].of["tls"] == nil) {
			h.put(object(d.At), "transport", "tls")
		}
		if scheme == "h2c" {
			h.put(texts(d.At, []string{"h2c"}), "transport", "versions")
		}
	}
	h.set("upstreams", &tree{at: d.At, items: list})
	return h
}

func policyOf(l *caddyfile.Directive, words []string) *tree {
	p := object(l.At, "policy", first(words))
	rest := words[min(1, len(words)):]
	switch first(words) {
	case "cookie":
		p.set("name", &tree{at: l.At, text: first(rest)})
	case "header", "query":
		p.set("field", &tree{at: l.At, text: first(rest)})
	case "weighted_round_robin":
		p.set("weights", texts(l.At, rest))
	}
	return p
}

func dynamicOf(l *caddyfile.Directive) *tree {
	t := object(l.At, "source", l.Arg(0))
	switch {
	case l.Arg(0) == "srv" && l.Arg(1) != "":
		t.set("name", &tree{at: l.At, text: l.Arg(1)})
	case l.Arg(0) == "a" && l.Arg(1) != "":
		t.set("name", &tree{at: l.At, text: l.Arg(1)})
		t.set("port", &tree{at: l.At, text: l.Arg(2)})
	}
	for _, in := range l.Block {
		t.set(in.Name, &tree{at: in.At, text: in.Arg(0)})
	}
	return t
}

// transportKeys maps the subdirectives of "transport http" to their place in the JSON.
var transportKeys = map[string][]string{
	"tls": {"tls"}, "tls_insecure_skip_verify": {"tls", "insecure_skip_verify"}, "tls_server_name": {"tls", "server_name"}, "tls_trusted_ca_certs": {"tls", "root_ca_pem_files"},
	"tls_timeout": {"tls", "handshake_timeout"}, "tls_except_ports": {"tls", "except_ports"}, "tls_renegotiation": {"tls", "renegotiation"}, "tls_curves": {"tls", "curves"},
	"dial_timeout": {"dial_timeout"}, "dial_fallback_delay": {"dial_fallback_delay"}, "response_header_timeout": {"response_header_timeout"}, "expect_continue_timeout": {"expect_continue_timeout"},
	"read_timeout": {"read_timeout"}, "write_timeout": {"write_timeout"}, "resolvers": {"resolver", "addresses"}, "versions": {"versions"}, "compression": {"compression"},
	"keepalive_idle_conns": {"keep_alive", "max_idle_conns"}, "keepalive_idle_conns_per_host": {"keep_alive", "max_idle_conns_per_host"}, "keepalive_interval": {"keep_alive", "probe_interval"},
	"keepalive": {"keep_alive", "idle_timeout"}, "max_conns_per_host": {"max_conns_per_host"}, "proxy_protocol": {"proxy_protocol"}, "read_buffer": {"read_buffer_size"},
	"write_buffer": {"write_buffer_size"}, "max_response_header": {"max_response_header_size"}, "forward_proxy_url": {"forward_proxy_url"}, "network_proxy": {"network_proxy"},
	"local_address": {"local_address"},
}

func (a *adapter) transportLine(h *tree, l *caddyfile.Directive) {
	h.put(&tree{at: l.At, text: l.Arg(0)}, "transport", "protocol")
	if l.Arg(0) != "http" {
		return
	}
	for _, in := range l.Block {
		path, known := transportKeys[in.Name]
		switch words := long(in.Args); {
		case in.Name == "tls":
			if h.of["transport"].of["tls"] == nil {
				h.put(object(in.At), "transport", "tls")
			}
		case in.Name == "tls_insecure_skip_verify":
			h.put(&tree{at: in.At, text: "true"}, "transport", "tls", "insecure_skip_verify")
		case in.Name == "tls_client_auth":
			h.put(&tree{at: in.At, text: first(words)}, "transport", "tls", "client_certificate_file")
			if len(words) > 1 {
				h.put(&tree{at: in.At, text: words[1]}, "transport", "tls", "client_certificate_key_file")
			}
		case in.Name == "tls_trust_pool" && in.Arg(0) == "file":
			files := in.Args[1:]
			for _, f := range in.Block {
				files = append(slices.Clone(files), f.Args...)
			}
			h.put(texts(in.At, files), "transport", "tls", "ca", "pem_files")
		case in.Name == "tls_trust_pool":
			h.put(object(in.At, "provider", in.Arg(0)), "transport", "tls", "ca")
		case known && slices.Contains([]string{"versions", "resolvers", "tls_trusted_ca_certs", "tls_except_ports"}, in.Name):
			h.put(texts(in.At, words), append([]string{"transport"}, path...)...)
		case known:
			h.put(&tree{at: in.At, text: first(words)}, append([]string{"transport"}, path...)...)
		default:
			a.note(in.At, "transport "+in.Name, "left out: goodgate has no equivalent")
		}
	}
}
