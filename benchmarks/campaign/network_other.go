//go:build !linux

package main

import "errors"

func newFarNetwork(wire) (*network, error) {
	return nil, errors.New("network namespaces are Linux's")
}
