package discovery

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ParseList parses a list of upstreams like [NewFile], or lines of text: one URL per
// line, except for empty lines and those that begin with #. A text that begins with [,
// { or - is YAML or JSON.
func ParseList(data []byte, base Target) ([]Target, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	text := bytes.TrimSpace(data)
	switch {
	case len(text) == 0:
		return nil, errors.New("it is empty; expected a list, or [] for no upstream")
	case bytes.ContainsRune([]byte("[{-"), rune(text[0])):
		return parseFile(withoutSolidi(data), base)
	}
	return parseLines(string(data), base)
}

// parseLines parses one URL per line.
func parseLines(text string, base Target) ([]Target, error) {
	targets := []Target{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if len(targets) == maxEntries {
			return nil, fmt.Errorf("line %d: more entries than the limit of %d", n, maxEntries)
		}
		t, err := ParseEntry(line, base)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		targets = append(targets, t)
	}
	return union(targets), nil
}

// ParseEntry parses one upstream: a URL, or a JSON object as in a list of [NewFile].
func ParseEntry(text string, base Target) (Target, error) {
	if text = strings.TrimSpace(text); strings.HasPrefix(text, "{") {
		list, err := parseFile([]byte("["+text+"]"), base)
		if err != nil {
			return Target{}, err
		}
		if len(list) != 1 {
			return Target{}, errors.New("expected one upstream")
		}
		return list[0], nil
	}
	t, _, err := ParseURL(text)
	if err != nil {
		return Target{}, err
	}
	base.Addr, base.Name, base.TLS = t.Addr, t.Name, t.TLS
	return base, nil
}

// withoutSolidi returns JSON without escaped slashes. Programs write http:\/\/, which
// YAML does not have.
func withoutSolidi(data []byte) []byte {
	if !bytes.Contains(data, []byte(`\/`)) || !json.Valid(data) {
		return data
	}
	out := make([]byte, 0, len(data))
	for i := 0; i < len(data); i++ {
		if data[i] == '\\' { // in valid JSON another byte follows
			if i++; data[i] != '/' {
				out = append(out, '\\')
			}
		}
		out = append(out, data[i])
	}
	return out
}
