package convert

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// cors converts the accessControl settings of the headers middleware. It returns false
// if they name no origins, or if goodgate cannot express them.
func (t *traefik) cors(m *tree, d *draft) bool {
	origins := m.strs("accessControlAllowOriginList")
	credentials := m.on("accessControlAllowCredentials")
	if len(origins) == 0 || slices.ContainsFunc(origins, func(s string) bool { return !isOrigin(s) || s == "*" && (credentials || len(origins) > 1) }) || m.get("accessControlAllowOriginListRegex") != nil {
		return false
	}
	methods, headers := m.strs("accessControlAllowMethods"), m.strs("accessControlAllowHeaders")
	all := slices.Contains(methods, "*") || slices.Contains(headers, "*")
	if credentials && all || len(headers) > 0 && !slices.Contains(methods, "POST") && !slices.Contains(methods, "*") {
		return false // browsers reject * together with credentials; and goodgate would allow POST with these headers
	}
	parts := []string{"origins: " + list(origins)}
	for _, kv := range []struct {
		key, setting string
		known        func(string) bool
		given        []string // without being named
	}{
		{"methods", "accessControlAllowMethods", isMethod, []string{"GET", "HEAD", "POST"}},
		{"headers", "accessControlAllowHeaders", isToken, nil},
		{"expose", "accessControlExposeHeaders", isToken, nil},
	} {
		words := m.strs(kv.setting)
		if slices.Contains(words, "*") && kv.key != "expose" {
			words = []string{"*"}
		} else if slices.ContainsFunc(words, func(s string) bool { return !kv.known(s) || s == "*" }) {
			return false
		}
		words = slices.DeleteFunc(slices.Clone(words), func(s string) bool { return slices.Contains(kv.given, s) })
		if len(words) > 0 {
			parts = append(parts, kv.key+": "+list(words))
		}
	}
	if credentials {
		parts = append(parts, "credentials: true")
	}
	seconds := m.num("accessControlMaxAge")
	if seconds < 0 || seconds > 24*60*60 {
		return false
	}
	d.cors = "{" + strings.Join(append(parts, fmt.Sprintf("max_age: %ds", seconds)), ", ") + "}"
	return true
}

// isOrigin reports whether goodgate accepts a text as an origin, or as all origins.
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return text == "*" || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Path == "" && isUpstream(text) && text == u.Scheme+"://"+strings.ToLower(u.Host)
}
