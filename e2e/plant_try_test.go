package e2e_test

import (
	"cmp"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// statement is a directive of nginx's, with its block.
type statement struct {
	words []string
	block []*statement // nil = none
}

// try puts every line that the doctor suggests for nginx into the configuration, and
// lets nginx check it.
func (p *plant) try(d diagnosis) {
	p.Helper()
	p.tryHAProxy(d)
	p.tryGoodgate(d)
	text, err := os.ReadFile(p.path("nginx.conf"))
	if err != nil {
		return // another proxy
	}
	if pem, err := os.ReadFile(p.path("app.pem")); err == nil {
		writeFile(p.T, p.dir, "upstream-ca.pem", string(pem)) // "a copy of the upstream's PEM file"
		writeFile(p.T, p.dir, "upstream-client.pem", string(pem))
		writeFile(p.T, p.dir, "upstream-client.key", string(pem))
	}
	for i, f := range d.Findings {
		if f.Severity != "notice" && (f.Where == "" || f.Because == "") && f.Upstream != "" {
			p.Errorf("%s does not say where it is, or why it is %s", f.Code, f.Confidence)
		}
		last := strings.TrimSpace(f.Directive)
		if code, _, commented := strings.Cut(last, "   #"); commented {
			last = code
		}
		if !strings.HasSuffix(last, ";") && !strings.HasSuffix(last, "}") { // for a shell, or another program's
			continue
		}
		root := &statement{block: parsed(string(text))}
		for _, s := range parsed(f.Directive) {
			root.put(s)
		}
		file := writeFile(p.T, p.dir, "suggested.conf", root.String())
		argv := append(append([]string{}, p.enter...), need(p.T, "nginx"), "-t", "-q", "-c", file, "-e", "stderr")
		if out, err := exec.CommandContext(p.Context(), argv[0], argv[1:]...).CombinedOutput(); err != nil {
			p.Errorf("%s: nginx refuses what is suggested, %q: %s\n%s", f.Code, f.Directive, out, root)
		} else if i == 0 && p.front != nil && cured[f.Code] {
			p.cure(root.String())
		}
	}
}

// cured are the findings with a remedy after which requests are answered. Other
// remedies need more than a line, or show an effect only under load.
var cured = map[string]bool{
	"wrong_port": true, "other_address": true, "socket_missing": true, "plain_to_tls_port": true, "tls_to_plain_port": true, "certificate_name": true,
	"certificate_self_signed": true, "http_only": true, "fastcgi_only": true, "header_size": true, "slow_answer": true, "dns_stale": true, "tls_name": true, "trailing_slash": true,
}

// cure applies the suggestion to the running nginx, and expects requests to be
// answered.
func (p *plant) cure(config string) {
	p.Helper()
	writeFile(p.T, p.dir, "nginx.conf", config)
	p.front.signal(syscall.SIGHUP)
	waitFor(p.T, "a good answer with what is suggested", func() bool { return p.ask(1, "GET", cmp.Or(p.probe, "/"), "") == 200 })
}

// parsed reads nginx's syntax.
func parsed(text string) []*statement {
	root := &statement{}
	stack, words := []*statement{root}, []string(nil)
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		top := stack[len(stack)-1]
		end := 1
		switch text[0] {
		case '#':
			end = max(1, len(text[:strings.IndexByte(text+"\n", '\n')]))
		case ';':
			top.block = append(top.block, &statement{words: words})
			words = nil
		case '{':
			s := &statement{words: words, block: []*statement{}}
			top.block = append(top.block, s)
			stack, words = append(stack, s), nil
		case '}':
			stack = stack[:len(stack)-1]
		case '"', '\'':
			end = 2 + strings.IndexByte(text[1:], text[0])
			words = append(words, text[:end])
		default:
			if end = strings.IndexAny(text, " \t\n;{"); end < 0 {
				end = len(text)
			}
			words = append(words, text[:end])
		}
		text = text[end:]
	}
	return root.block
}

func (s *statement) String() string {
	var b strings.Builder
	if len(s.words) > 0 {
		b.WriteString(strings.Join(s.words, " "))
		if s.block == nil {
			return b.String() + ";\n"
		}
		b.WriteString(" {\n")
	}
	for _, in := range s.block {
		b.WriteString(in.String())
	}
	if len(s.words) > 0 {
		b.WriteString("}\n")
	}
	return b.String()
}

// within returns the first block of a name, in the block or the blocks in it; nil when
// there is none.
func (s *statement) within(name string) *statement {
	for _, in := range s.block {
		if len(in.words) > 0 && in.block != nil {
			if in.words[0] == name {
				return in
			}
			if found := in.within(name); found != nil {
				return found
			}
		}
	}
	return nil
}

// put adds a statement where nginx accepts it, or replaces the present one.
func (s *statement) put(n *statement) {
	name := n.words[0]
	to := s.within(map[string]string{
		"worker_connections": "events", "upstream": "http", "server": "upstream", "keepalive": "upstream", "keepalive_timeout": "upstream",
		"location": "server", "client_max_body_size": "server",
	}[name])
	switch {
	case name == "worker_rlimit_nofile":
		to = s
	case name == "location":
		to = s.blockWith("location")
	case to == nil:
		to = s.within("location")
	}
	pass := strings.HasSuffix(name, "_pass")
	for i, old := range to.block {
		same := old.words[0] == name && name != "proxy_set_header" && name != "upstream" && name != "set" && name != "include"
		if same || pass && strings.HasSuffix(old.words[0], "_pass") {
			to.block[i] = n
			return
		}
	}
	to.block = append(to.block, n)
}

// blockWith returns the innermost first block that has a directive of a name.
func (s *statement) blockWith(name string) *statement {
	for _, in := range s.block {
		if len(in.words) > 0 && in.words[0] == name {
			return s
		}
		if in.block != nil {
			if found := in.blockWith(name); found != nil {
				return found
			}
		}
	}
	return nil
}
