package e2e_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// tryHAProxy puts every line that the doctor suggests for HAProxy into the
// configuration, and lets HAProxy check it.
func (p *plant) tryHAProxy(d diagnosis) {
	p.Helper()
	text, err := os.ReadFile(p.path("haproxy.cfg"))
	if err != nil {
		return
	}
	for _, f := range d.Findings {
		config := haproxyWith(string(text), f.Directive)
		config = strings.NewReplacer("/etc/ssl/upstream-ca.pem", p.path("app.pem"), "/etc/haproxy/upstream-client.pem", p.path("app.pem")).Replace(config)
		if config != string(text) {
			p.haproxyTakes(f.Code, f.Directive, config)
		}
	}
}

// haproxyTakes makes HAProxy check a configuration.
func (p *plant) haproxyTakes(code, directive, config string) {
	p.Helper()
	file := writeFile(p.T, p.dir, "suggested.cfg", config)
	out, err := exec.CommandContext(p.Context(), need(p.T, "haproxy"), "-c", "-q", "-f", file).CombinedOutput()
	if err != nil {
		p.Errorf("%s: HAProxy refuses what is suggested, %q: %s\n%s", code, directive, out, config)
	}
}

// haproxyWith returns a configuration with lines in the right places: tune.* goes to
// global, existing lines are replaced, and everything else goes to the backend, which
// is the last section. It leaves out shell commands.
func haproxyWith(config, lines string) string {
	for line := range strings.Lines(lines) {
		line = strings.TrimSpace(line)
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "tune."):
			config = strings.Replace(config, "global\n", "global\n    "+line+"\n", 1)
		case len(words) > 2 && words[0] == "server":
			var kept []string
			for old := range strings.SplitSeq(config, "\n") {
				if f := strings.Fields(old); len(f) > 1 && f[0] == "server" && f[1] == words[1] {
					old = "    " + line
				}
				kept = append(kept, old)
			}
			config = strings.Join(kept, "\n")
		case len(words) > 1 && words[0] != "sysctl" && words[0] != "backlog":
			config += "    " + line + "\n"
		}
	}
	return config
}

// tryGoodgate sets every key that the doctor suggests for goodgate, and has goodgate
// check the result.
func (p *plant) tryGoodgate(d diagnosis) {
	p.Helper()
	text, err := os.ReadFile(p.path("goodgate.yaml"))
	if err != nil {
		return
	}
	files := strings.NewReplacer("/etc/ssl/upstream-ca.pem", p.path("app.pem"), "/etc/ssl/upstream-client.pem", p.path("app.pem"), "/etc/ssl/upstream-client.key", p.path("app.pem"))
	for _, f := range d.Findings {
		if !strings.HasPrefix(f.Directive, "pools.") {
			continue
		}
		var config any
		if err := yaml.Unmarshal(text, &config); err != nil {
			p.Fatal(err)
		}
		for line := range strings.Lines(f.Directive) {
			path, value, _ := strings.Cut(line, ": ")
			var set any
			if err := yaml.Unmarshal([]byte(files.Replace(value)), &set); err != nil {
				p.Errorf("%s: %q is no YAML: %v", f.Code, f.Directive, err)
			}
			config = setKey(config, strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune(".[]", r) }), set)
		}
		out, err := yaml.Marshal(config)
		if err != nil {
			p.Fatal(err)
		}
		file := writeFile(p.T, p.dir, "suggested.yaml", string(out))
		if said, err := exec.CommandContext(p.Context(), built.goodgate, "check", file).CombinedOutput(); err != nil {
			p.Errorf("%s: goodgate refuses what is suggested, %q: %s\n%s", f.Code, f.Directive, said, out)
		}
	}
}

// setKey returns a tree of YAML with a value at a path.
func setKey(in any, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	if list, ok := in.([]any); ok {
		if i, err := strconv.Atoi(path[0]); err == nil && i < len(list) {
			list[i] = setKey(list[i], path[1:], value)
			return list
		}
	}
	m, ok := in.(map[string]any)
	if !ok {
		m = map[string]any{}
	}
	m[path[0]] = setKey(m[path[0]], path[1:], value)
	return m
}
