package conformance_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	serverBlock = regexp.MustCompile(`(?m)^\s*server\s*\{`)
	listenWord  = regexp.MustCompile(`listen\s+([^\s;]+)`)
	passWord    = regexp.MustCompile(`_pass\s`)
	ownProcess  = regexp.MustCompile(`(?m)^\s*(pid|error_log|daemon|master_process|load_module)\s.*$`)
)

// split leaves out of an nginx.conf the servers that are applications: they pass
// nothing on, and all their addresses are where another server, or an upstream, leads.
// A real nginx runs these, nil if there are none or it is not installed.
func split(conf string) (rest string, apps *exec.Cmd, err error) {
	data, err := os.ReadFile(conf)
	if err != nil {
		return "", nil, err
	}
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		return conf, nil, nil
	}
	text, at, found := string(data), 0, false
	var front, back strings.Builder
	for _, m := range serverBlock.FindAllStringIndex(text, -1) {
		if m[0] < at {
			continue
		}
		end := m[1] + closing(text[m[1]:])
		block := text[m[0]:end]
		front.WriteString(text[at:m[0]])
		back.WriteString(text[at:m[0]])
		if isApplication(block, text[:m[0]]+text[end:]) {
			found = true
			back.WriteString(block)
		} else {
			front.WriteString(block)
		}
		at = end
	}
	if !found {
		return conf, nil, nil
	}
	folder, err := os.Getwd()
	if err != nil {
		return "", nil, err
	}
	own := "daemon off; master_process off; pid " + folder + "/apps.pid; error_log " + folder + "/apps.log;\n"
	for file, text := range map[string]string{"front.conf": front.String() + text[at:], "apps.conf": own + ownProcess.ReplaceAllString(back.String()+text[at:], "")} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return "", nil, err
		}
	}
	return "front.conf", exec.Command(nginx, "-p", folder, "-c", filepath.Join(folder, "apps.conf"), "-e", filepath.Join(folder, "apps.log")), nil
}

// closing returns the end of the block that contains a text.
func closing(text string) int {
	depth, quote := 1, rune(0)
	for i, r := range text {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case (r == '"' || r == '\'') && i > 0 && strings.ContainsRune(" \t\n(", rune(text[i-1])):
			quote = r
		case r == '{':
			depth++
		case r == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

func isApplication(server, others string) bool {
	listens := listenWord.FindAllStringSubmatch(server, -1)
	for _, l := range listens {
		leads := regexp.MustCompile(`(?:_pass\s+\w+://|server\s+|set \$\w+ )(?:http://)?` + regexp.QuoteMeta(l[1]) + `\b`)
		if !leads.MatchString(others) {
			return false
		}
	}
	return len(listens) > 0 && !passWord.MatchString(server)
}
