package config

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// maxSecret bounds a file that ${file:NAME} names, in bytes.
const maxSecret = 64 << 10

// reference matches $${ (an escape), a whole reference to a file or a variable, or the start of a broken one.
var reference = regexp.MustCompile(`\$\$\{|\$\{file:([^}]+)\}|\$\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}|\$\{`)

// expand replaces ${NAME}, ${NAME:-default} and ${file:NAME} in text, and $${ by ${. A default also replaces an empty
// variable, as in a shell. A nil env leaves text unchanged.
func expand(text string, env func(string) (string, bool), file func(string) (string, error)) (string, error) {
	if env == nil || !strings.Contains(text, "${") {
		return text, nil
	}
	var errs []error
	out := reference.ReplaceAllStringFunc(text, func(ref string) string {
		m := reference.FindStringSubmatch(ref)
		name, hasDefault := m[2], m[3] != ""
		switch {
		case ref == "$${":
			return "${"
		case strings.Contains(m[1]+m[4], "${"):
			errs = append(errs, errors.New("invalid reference: a reference cannot contain another one"))
			return ""
		case m[1] != "":
			value, err := file(m[1])
			if err != nil {
				errs = append(errs, err)
			}
			return value
		case name == "":
			errs = append(errs, errors.New("invalid reference: write ${NAME}, ${NAME:-default} or ${file:PATH}; write $${ for a plain ${"))
			return ""
		}
		value, set := env(name)
		if hasDefault && value == "" {
			return m[4]
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

// secretFile returns the content of a file, without the line breaks that editors add at the end.
func secretFile(name string) (string, error) {
	data, err := readRegular(name, maxSecret)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("there is no file %s", name)
	case err != nil:
		return "", err
	case len(data) > maxSecret:
		return "", fmt.Errorf("%s is larger than %s", name, Size(maxSecret))
	}
	text := strings.TrimRight(string(data), "\r\n")
	if text == "" { // perhaps a program is writing it now; an empty secret would let everybody in
		return "", fmt.Errorf("%s is empty", name)
	}
	return text, nil
}
