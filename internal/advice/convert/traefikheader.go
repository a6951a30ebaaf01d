package convert

import (
	"fmt"
	"slices"
	"strings"
)

// traefikFields are the settings of the headers middleware that set one response
// header.
var traefikFields = []struct{ key, field, value string }{
	{"frameDeny", "X-Frame-Options", "DENY"},
	{"customFrameOptionsValue", "X-Frame-Options", ""},
	{"contentTypeNosniff", "X-Content-Type-Options", "nosniff"},
	{"browserXssFilter", "X-XSS-Protection", "1; mode=block"},
	{"customBrowserXSSValue", "X-XSS-Protection", ""},
	{"contentSecurityPolicy", "Content-Security-Policy", ""},
	{"contentSecurityPolicyReportOnly", "Content-Security-Policy-Report-Only", ""},
	{"referrerPolicy", "Referrer-Policy", ""},
	{"permissionsPolicy", "Permissions-Policy", ""},
	{"featurePolicy", "Feature-Policy", ""},
	{"publicKey", "Public-Key-Pins", ""},
}

// headers converts the headers middleware.
func (t *traefik) headers(m *tree, d draft, next func(draft)) {
	t.customHeaders(m, &d)
	develops := m.on("isDevelopment")
	if develops {
		t.note(m.at, "isDevelopment", "allowedHosts, the redirect to HTTPS and Strict-Transport-Security are left out, because Traefik ignores them too. Remove isDevelopment to convert them")
	}
	t.securityHeaders(m, &d, develops)
	shared := t.cors(m, &d)
	for _, key := range m.keys {
		low := strings.ToLower(key)
		switch {
		case shared && (strings.HasPrefix(low, "accesscontrol") || low == "addvaryheader"):
			// cors converts it
		case strings.HasPrefix(low, "accesscontrol"), low == "addvaryheader":
			t.note(m.get(key).at, key, "left out: goodgate cannot express these CORS settings. Set cors, or let the application answer these requests")
		case low == "sslredirect" && m.on(key) && !develops, low == "sslforcehost" && m.on(key):
			if plain, _ := t.plain(d); plain {
				t.redirects("https://{host}{path}{query}", !m.on("sslTemporaryRedirect"), d)
				return
			}
		case low == "hostsproxyheaders":
			t.note(m.get(key).at, key, "left out: goodgate has no equivalent")
		}
	}
	hosts := m.strs("allowedHosts")
	if len(hosts) == 0 || develops {
		next(d)
		return
	}
	lost := Note{m.at, "allowedHosts", "requests for other names would be accepted"}
	terms, ok := hostTerms(hosts)
	if !ok {
		t.refuse(lost.Where, lost.What, lost.Text)
		next(d)
		return
	}
	t.split(d, terms, lost, next, func(d draft) { t.answered(d, answer{respond: true, status: 500}) })
}

func (t *traefik) customHeaders(m *tree, d *draft) {
	for _, name := range m.names("customRequestHeaders") {
		value := m.str("customRequestHeaders", name)
		switch {
		case strings.EqualFold(name, "Host") && isUpstream("http://"+value):
			d.host = value
		case isField(name) && value == "":
			d.dropRequest = withWord(d.dropRequest, name)
			d.setRequest = without(d.setRequest, name)
		case isField(name) && isLiteral(value):
			d.setRequest = with(d.setRequest, name, value)
		case bySelf(name):
			t.note(m.at, "customRequestHeaders "+name, "left out: goodgate always sends it")
		default:
			t.note(m.at, "customRequestHeaders "+name, "left out: goodgate cannot set this header")
		}
	}
	for _, name := range m.names("customResponseHeaders") {
		value := m.str("customResponseHeaders", name)
		switch {
		case isField(name) && value == "":
			d.dropResponse = withWord(d.dropResponse, name)
			d.setResponse = without(d.setResponse, name)
		case isField(name) && isLiteral(value):
			d.setResponse = with(d.setResponse, name, value)
		default:
			t.note(m.at, "customResponseHeaders "+name, "left out: goodgate cannot set this header")
		}
	}
}

// securityHeaders converts the settings that set one response header each.
func (t *traefik) securityHeaders(m *tree, d *draft, develops bool) {
	for _, f := range traefikFields {
		text := m.str(f.key)
		value := f.value
		if value == "" {
			value = text
		}
		switch {
		case text == "" || text == "false":
		case isLiteral(value):
			d.setResponse = with(d.setResponse, f.field, value)
		default:
			t.refuse(m.at, f.key, "goodgate cannot set it, so browsers would lose its protection")
		}
	}
	_, secure := t.plain(*d)
	if seconds := m.num("stsSeconds"); seconds > 0 && !develops && (secure || m.on("forceSTSHeader")) {
		value := fmt.Sprintf("max-age=%d", seconds)
		if m.on("stsIncludeSubdomains") {
			value += "; includeSubDomains"
		}
		if m.on("stsPreload") {
			value += "; preload"
		}
		d.setResponse = with(d.setResponse, "Strict-Transport-Security", value)
	}
	d.dropResponse = slices.Clone(d.dropResponse)
}
