package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// envReference matches $${ (an escape), a whole reference, or the start of a broken one.
var envReference = regexp.MustCompile(`\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}|\$\{`)

// expand replaces ${NAME} and ${NAME:-default} in text, and $${ by ${. A default also stands in for an empty variable,
// as in a shell. A nil env leaves text as it is.
func expand(text string, env func(string) (string, bool)) (string, error) {
	if env == nil || !strings.Contains(text, "${") {
		return text, nil
	}
	var errs []error
	out := envReference.ReplaceAllStringFunc(text, func(ref string) string {
		m := envReference.FindStringSubmatch(ref)
		name, hasDefault := m[1], m[2] != ""
		switch {
		case ref == "$${":
			return "${"
		case name == "":
			errs = append(errs, errors.New("broken reference: write ${NAME} or ${NAME:-default}, or $${ for the characters themselves"))
			return ""
		}
		value, set := env(name)
		if hasDefault && value == "" {
			return m[3]
		}
		if !set {
			errs = append(errs, fmt.Errorf("environment variable %s is not set: set it, or write ${%s:-default}", name, name))
		}
		return value
	})
	if len(errs) > 0 {
		return "", errs[0]
	}
	return out, nil
}
