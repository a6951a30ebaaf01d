package config

import (
	"errors"
	"strconv"
	"strings"
)

const kubeLetters = "abcdefghijklmnopqrstuvwxyz0123456789-"

// kubeName accepts names of Services and namespaces: RFC 1123 labels.
func kubeName(s string) (string, error) {
	if s == "" || len(s) > 63 || strings.Trim(s, kubeLetters) != "" || s[0] == '-' || s[len(s)-1] == '-' {
		return "", errors.New("a name in Kubernetes has 1 to 63 lower-case letters, digits and -; a namespace has a key of its own")
	}
	return s, nil
}

// kubePort accepts a port's number, or its name.
func kubePort(s string) (string, error) {
	if n, err := strconv.Atoi(s); err == nil && n >= 1 && n <= 65535 {
		return strconv.Itoa(n), nil
	} else if err == nil || s == "" || len(s) > 63 || strings.Trim(s, kubeLetters) != "" {
		return "", errors.New("a port is a number from 1 to 65535, or a name with lower-case letters, digits and -")
	}
	return s, nil
}
