package config

import (
	"bytes"
	"regexp"
)

// foreign recognises the files of other programs, none of which is YAML, by lines that
// only these have.
var foreign = []struct {
	program string
	lines   *regexp.Regexp
}{
	{"nginx", regexp.MustCompile(`(?m)^\s*(?:http|server|events|stream|upstream\s+\S+|location\s+\S.*?)\s*\{|^\s*(?:proxy_pass|listen|server_name|worker_processes|fastcgi_pass|root)\s+[^:][^;]*;\s*$`)},
	{"HAProxy", regexp.MustCompile(`(?m)^(?:global|defaults|(?:frontend|backend|listen)\s+[\w.-]+)(?:\s+#.*)?\s*$\n(?:[ \t]*(?:#.*)?\n)*[ \t]+[a-z-]+[ \t]+[^:]`)},
	{"Caddy", regexp.MustCompile(`(?m)^\s*(?:reverse_proxy|handle|handle_path|file_server|encode|tls)(?:\s+[^:#{]*\S*)?\s*\{?\s*$`)},
}

// caddySite is the line with which a site of a Caddyfile begins.
var caddySite = regexp.MustCompile(`(?m)^\S.*\{\s*$`)

// otherProgram returns the program that a file is for, "" if it may be goodgate's.
func otherProgram(data []byte) string {
	if ours.Match(data) {
		return ""
	}
	for _, f := range foreign {
		if f.lines.Match(data) && (f.program != "Caddy" || caddySite.Match(data) || !bytes.Contains(data, []byte(": "))) {
			return f.program
		}
	}
	return ""
}

// ours is a line that every configuration has, or should have.
var ours = regexp.MustCompile(`(?m)^[ \t{]*["']?(?:listeners|pools|routes)["']?\s*:`)
