package convert

import "errors"

// Traefik x.
func Traefik(text []byte, file string, static []byte, staticFile string) (*Result, error) {
	return nil, errors.New("not yet")
}
