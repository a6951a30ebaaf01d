package convert

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/haproxy"
)

// Names of the formats that are read.
const (
	FormatNginx     = "nginx"
	FormatHAProxy   = "haproxy"
	FormatCaddyfile = "caddyfile"
	FormatCaddyJSON = "caddy-json"
	FormatTraefik   = "traefik"
)

// mostLooked bounds the part of a text that is examined.
const mostLooked = 1 << 20

// Formats returns the formats that a text may have: none if it looks like none of them,
// several if it is ambiguous.
func Formats(text []byte) []string {
	if structured, known := structuredFormat(text); known {
		return structured
	}
	s := shapeOf(string(text[:min(len(text), mostLooked)]))
	if len(s.lines) == 0 {
		return nil
	}
	if _, err := haproxy.Parse(bytes.NewReader(text), ""); err == nil && !strings.HasSuffix(s.lines[0], "{") && !strings.Contains(s.lines[0], ";") {
		return []string{FormatHAProxy}
	}
	var all []string
	if s.opened || s.ended > 0 && s.ended*4 >= s.open {
		all = append(all, FormatNginx)
	}
	if !s.opened && s.open >= s.ended && firstLine.MatchString(s.lines[0]) {
		all = append(all, FormatCaddyfile)
	}
	return all
}

// IsOwn reports whether a text is a configuration of goodgate, by its top-level keys.
func IsOwn(text []byte) bool {
	root, err := parseTree(text, "")
	return err == nil && root.of != nil && slices.ContainsFunc(root.keys, func(k string) bool { return k == "listeners" || k == "pools" || k == "routes" })
}

// structuredFormat recognizes JSON, YAML and TOML by their top-level keys.
func structuredFormat(text []byte) (formats []string, known bool) {
	root, err := parseTree(text, "")
	if err != nil || root.of == nil || len(root.keys) == 0 {
		return nil, false
	}
	has := func(keys ...string) bool {
		return slices.ContainsFunc(root.keys, func(k string) bool {
			return slices.ContainsFunc(keys, func(key string) bool { return strings.EqualFold(k, key) })
		})
	}
	switch {
	case has("http", "tcp", "udp", "tls", "entryPoints", "certificatesResolvers"):
		return []string{FormatTraefik}, true
	case json.Valid(text) && has("apps", "admin", "logging", "storage"):
		return []string{FormatCaddyJSON}, true
	}
	return nil, json.Valid(text)
}

// shape distinguishes nginx's configuration from a Caddyfile: nginx ends directives
// with a semicolon.
type shape struct {
	lines  []string // without comments, with Q in place of quoted text
	ended  int      // lines with a directive that ends in ;
	open   int      // lines with a directive that neither ends in ; nor opens a block
	opened bool     // the text has a block that only nginx knows
}

var (
	quotedText  = regexp.MustCompile("(^|[\\s{;(])(?:\"(?:[^\"\\\\]|\\\\.)*\"|'[^'\n]*'|`[^`]*`|#[^\n]*)")
	endOfWord   = regexp.MustCompile(`;(?:\s|\}|$)`)
	nginxBlocks = regexp.MustCompile(`^(?:http|events|stream|server|upstream\s+\S+|location\s.*)\s*\{`)
	// firstLine is the first line of a Caddyfile: options, a snippet, or addresses.
	firstLine = regexp.MustCompile(`\{$|^import\s|^(?:localhost|[\w*\[\]/{}$-]*[.:][\w.*:\[\]/{}$-]*)(?:\s*,\s*[\w.*:\[\]/{}$-]+)*,?$`)
	heredoc   = regexp.MustCompile(`<<([A-Za-z0-9_-]+)[ \t]*\n`)
)

func shapeOf(text string) (s shape) {
	text = withoutHeredocs(strings.ReplaceAll(text, "\r\n", "\n"))
	text = quotedText.ReplaceAllStringFunc(text, func(m string) string {
		mark := strings.IndexAny(m, "\"'`#")
		if m[mark] == '#' {
			return m[:mark]
		}
		return m[:mark] + "Q"
	})
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		s.lines = append(s.lines, line)
		switch {
		case endOfWord.MatchString(line):
			s.ended++
		case !strings.HasSuffix(line, "{") && line != "}":
			s.open++
		}
		s.opened = s.opened || nginxBlocks.MatchString(line)
	}
	return s
}

// withoutHeredocs removes the multi-line texts of a Caddyfile.
func withoutHeredocs(text string) string {
	for range 100 {
		at := heredoc.FindStringSubmatchIndex(text)
		if at == nil {
			break
		}
		end := regexp.MustCompile(`(?m)^[ \t]*` + regexp.QuoteMeta(text[at[2]:at[3]]) + `\b`).FindStringIndex(text[at[1]:])
		if end == nil {
			break
		}
		text = text[:at[0]] + "Q" + text[at[1]+end[1]:]
	}
	return text
}
