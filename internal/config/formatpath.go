package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
)

var placeholder = regexp.MustCompile(`\{[^{}]*\}?|\}`)

// ofRequest are the placeholders of a redirect that have a parameter: a group of
// match.path_regexp, or a parameter of the query.
var ofRequest = regexp.MustCompile(`\{(?:([1-9])|query:[^{}]+)\}`)

// groups returns the highest group of match.path_regexp that a redirect has.
func groups(target string) (highest int) {
	for _, m := range ofRequest.FindAllStringSubmatch(target, -1) {
		n, _ := strconv.Atoi(m[1])
		highest = max(highest, n)
	}
	return highest
}

// plainPath reports whether s can be the path of a request, as it stands.
func plainPath(s string) bool {
	return strings.HasPrefix(s, "/") && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r == 0x7f || r == '?' || r == '#'
	})
}

func matchPath(s string) (string, error) {
	switch {
	case !strings.HasPrefix(s, "/"):
		return "", errors.New("a path starts with /")
	case strings.ContainsAny(s, "?#"):
		return "", errors.New("a path is matched without query or fragment")
	case !plainPath(s):
		return "", errors.New("a path has no spaces or control characters")
	case strings.Contains(strings.TrimSuffix(s, "*"), "*"):
		return "", errors.New("a * may only stand at the end, as in /v1/*")
	}
	return s, nil
}

// pathPrefix drops the last slash, so that prefixes can be joined with paths, which start with one.
func pathPrefix(s string) (string, error) {
	switch {
	case !plainPath(s):
		return "", errors.New("expected a path that starts with /, such as /v1")
	case strings.Contains(s, "*"):
		return "", errors.New("a prefix is written without *")
	}
	return strings.TrimRight(s, "/"), nil
}

func requestPath(s string) (string, error) {
	path, _, _ := strings.Cut(s, "?")
	if _, err := url.ParseRequestURI(s); err != nil || !plainPath(path) || strings.ContainsAny(s, " #") {
		return "", errors.New("expected a path that starts with /, such as /healthz")
	}
	return s, nil
}

func redirectTarget(s string) (string, error) {
	known := []string{"{scheme}", "{host}", "{hostname}", "{path}", "{query}", "{args}", "{uri}"}
	for _, p := range placeholder.FindAllString(s, -1) {
		if !slices.Contains(known, p) && !ofRequest.MatchString(p) {
			return "", fmt.Errorf("unknown placeholder %s%s; known: %s, {query:NAME} and {1} to {9}", p, didYouMean(p, known), strings.Join(known, ", "))
		}
	}
	plain := strings.NewReplacer("{scheme}", "https", "{host}", "host", "{hostname}", "host", "{path}", "/path", "{query}", "?a=b", "{args}", "a=b", "{uri}", "/path").Replace(s)
	plain = ofRequest.ReplaceAllString(plain, "a")
	u, err := url.Parse(plain)
	switch {
	case err != nil, strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return "", errors.New("not a URL")
	case strings.HasPrefix(plain, "//"):
		return "", errors.New("a path starts with a single /")
	case strings.HasPrefix(plain, "/"):
		return s, nil
	case u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New("expected a URL such as https://{host}{path}, or a path")
	}
	return s, nil
}

// maxRegexp bounds an expression's text, and with it the memory that it takes.
const maxRegexp = 4096

func regularExpression(s string) (string, error) {
	if s == "" || len(s) > maxRegexp {
		return "", fmt.Errorf("an expression has 1 to %d bytes", maxRegexp)
	}
	_, err := regexp.Compile(s)
	if e, ok := errors.AsType[*syntax.Error](err); ok {
		return "", fmt.Errorf("not a regular expression of RE2: %s: %q", e.Code, e.Expr)
	}
	if err != nil {
		return "", errors.New("not a regular expression of RE2")
	}
	return s, nil
}

// rewritten takes what is looked for in a header's value.
func rewritten(s string) (string, error) {
	if s == "" {
		return "", errors.New("empty: say what is replaced")
	}
	return headerValue(s)
}
