package config

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/vars"
)

// This file has the keys that requests are counted and balanced by: words, or texts with
// variables.

func hashKey(s string) (string, error) {
	if name, ok := strings.CutPrefix(s, "query:"); ok {
		_, err := parameter(name)
		return s, err
	}
	return textKey(s, "client_ip", "path", "uri", "query:NAME")
}

func rateKey(s string) (string, error) { return textKey(s, "client_ip", "all") }

// textKey also accepts a text with variables.
func textKey(s string, words ...string) (string, error) {
	if !strings.ContainsRune(s, '{') {
		return requestKey(s, words...)
	}
	if wrong := variableError(s, vars.Key); wrong != "" {
		return "", errors.New(wrong)
	}
	if vars.Literal(s) {
		return "", errors.New("has no variable, such as {client_ip}")
	}
	return s, nil
}

// splitKey parses a key for the clients of a split, a word or a text with variables. It
// accepts address as another word for client_ip.
func splitKey(s string) (string, error) {
	if name, ok := strings.CutPrefix(s, "query:"); ok {
		_, err := parameter(name)
		return s, err
	}
	if s == "address" {
		return "client_ip", nil
	}
	return textKey(s, "cookie", "client_ip", "request", "query:NAME")
}

// requestKey parses the part of a request that a key uses: one of words, a header or a
// cookie.
func requestKey(s string, words ...string) (string, error) {
	kind, name, named := strings.Cut(s, ":")
	switch {
	case slices.Contains(words, s):
		return s, nil
	case kind == "header" && isToken(name):
		return "header:" + http.CanonicalHeaderKey(name), nil
	case kind == "cookie" && isToken(name):
		return s, nil
	}
	hint := ""
	if !named {
		hint = didYouMean(s, words)
	}
	return "", fmt.Errorf("expected %s, header:NAME, cookie:NAME, or text with variables such as {client_ip}%s", strings.Join(words, ", "), hint)
}

// KeyTexts returns the parts of a key as texts with variables.
func KeyTexts(on []string) []string {
	texts := slices.Clone(on)
	for i, part := range texts {
		if vars.Literal(part) {
			texts[i] = "{" + part + "}"
		}
	}
	return texts
}

// KeyHeaders returns the headers in a key.
func KeyHeaders(on []string) (names []string) {
	for _, text := range KeyTexts(on) {
		parts, _ := vars.Parse(text)
		for _, p := range parts {
			if p.Name == "header:" {
				names = append(names, http.CanonicalHeaderKey(p.Parameter))
			}
		}
	}
	return names
}

// rateKeys reports keys of several parts that do not mean what they seem to say.
func (v *validator) rateKeys(path string, l Limits) {
	for i, r := range l.Rates {
		at := index(path+".limits.rates", i) + ".on"
		if len(r.On) > 1 && slices.Contains(r.On, "all") {
			v.errorf(at, "all excludes the other parts: keep one")
		}
		if v.at.given(at) && len(r.On) == 0 {
			v.errorf(at, "empty: name a key to count requests by, such as client_ip")
		}
	}
}
