package vars

import "strings"

// nginx maps nginx's variables to goodgate's texts with the same value.
var nginx = map[string]string{
	"remote_addr": "{client_ip}", "remote_port": "{client_port}", "server_port": "{server_port}", "server_protocol": "{protocol}", "http_host": "{host}", "host": "{hostname}", "scheme": "{scheme}",
	"request_method": "{method}", "request_uri": "{uri}", "request_id": "{request_id}", "uri": "{path}", "document_uri": "{path}",
	"args": "{args}", "query_string": "{args}", "upstream_addr": "{upstreams}",
	"ssl_protocol": "{tls.version}", "ssl_server_name": "{tls.server_name}", "ssl_client_s_dn": "{tls.client.subject}", "ssl_client_i_dn": "{tls.client.issuer}",
}

// OfNginx returns the text for a variable of nginx, which is given without its $. ok is
// false for those that goodgate lacks.
func OfNginx(name string) (text string, ok bool) {
	if text, ok := nginx[name]; ok {
		return text, true
	}
	for _, p := range [][2]string{{"arg_", "{query:"}, {"cookie_", "{cookie:"}, {"http_", "{header:"}} {
		rest, ok := strings.CutPrefix(name, p[0])
		if ok && rest != "" {
			if p[0] == "http_" {
				rest = strings.ReplaceAll(rest, "_", "-")
			}
			return p[1] + rest + "}", true
		}
	}
	return "", false
}
