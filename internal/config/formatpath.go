package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/goodgate/goodgate/internal/vars"
)

// plainPath reports whether s can be the path of a request, unchanged.
func plainPath(s string) bool {
	return strings.HasPrefix(s, "/") && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r == 0x7f || r == '?' || r == '#'
	})
}

func matchPath(s string) (string, error) {
	switch {
	case !strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "*"):
		return "", errors.New("a path must start with /")
	case strings.ContainsAny(s, "?#"):
		return "", errors.New("a path has no query or fragment here: use match.query")
	case !plainPath("/" + s):
		return "", errors.New("a path has no spaces or control characters")
	case strings.Contains(s, "**"):
		return "", errors.New("write one *: at the start or the end it stands for any text, elsewhere for text without a slash")
	case s == "*":
		return "", errors.New("leave path out to match every path")
	case len(s) > maxRegexp:
		return "", fmt.Errorf("has %d bytes: the limit is %d", len(s), maxRegexp)
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

// rewriteTarget checks a path, or path and query, with variables and groups of a match.
func rewriteTarget(s string) (string, error) {
	parts, unknown := vars.ParseRewrite(s)
	if len(unknown) > 0 {
		return "", errors.New(unknownVariable(unknown[0], vars.Forward))
	}
	inQuery := false
	for _, p := range parts {
		switch {
		case strings.ContainsAny(p.Plain, "#") || strings.ContainsFunc(p.Plain, func(r rune) bool { return r <= ' ' || r == 0x7f }):
			return "", errors.New("the new path must not have #, spaces or control characters")
		case p.Name == "header:" || p.Name == "cookie:":
			if wrong := variableError("{"+p.Name+p.Parameter+"}", vars.Forward); wrong != "" {
				return "", errors.New(wrong)
			}
		case p.Since > vars.Forward:
			return "", fmt.Errorf("{%s} has no value at this point; known: %s", p.Name, inBraces(vars.Names(vars.Forward)))
		case !inQuery && (p.Name == "args" || p.Name == "query" || p.Name == "uri"):
			return "", fmt.Errorf("{%s} has the query, so it belongs after the ?, as in ?{args}", p.Name)
		}
		inQuery = inQuery || strings.Contains(p.Plain, "?")
	}
	if !strings.HasPrefix(s, "/") {
		return "", errors.New("a path must start with /")
	}
	if len(s) > maxRegexp {
		return "", fmt.Errorf("has %d bytes: the limit is %d", len(s), maxRegexp)
	}
	return s, nil
}

// redirectTarget checks a target as if its variables had values.
func redirectTarget(s string) (string, error) {
	if wrong := variableError(s, vars.Arrival); wrong != "" {
		return "", errors.New(wrong)
	}
	var filled strings.Builder
	parts, _ := vars.Parse(s)
	for _, p := range parts {
		switch {
		case p.Plain != "":
			filled.WriteString(p.Plain)
		case p.Name == "scheme":
			filled.WriteString("https")
		case p.Name == "path" || p.Name == "uri":
			filled.WriteString("/path")
		case p.Name == "query":
			filled.WriteString("?a=b")
		default:
			filled.WriteString("a")
		}
	}
	plain := filled.String()
	u, err := url.Parse(plain)
	switch {
	case err != nil, strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return "", errors.New("not a URL")
	case strings.ContainsAny(plain, "{}"):
		return "", errors.New("a brace that belongs to no variable: write %7B or %7D")
	case strings.HasPrefix(plain, "//"):
		return "", errors.New("a path must start with a single /")
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
		return "", fmt.Errorf("not a valid RE2 regular expression: %s: %q", e.Code, e.Expr)
	}
	if err != nil {
		return "", errors.New("not a valid RE2 regular expression")
	}
	return s, nil
}

// rewritten accepts a text to search for in a header's value.
func rewritten(s string) (string, error) {
	if s == "" {
		return "", errors.New("empty: write the text to replace")
	}
	return headerValue(s)
}
