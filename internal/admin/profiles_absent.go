//go:build minimal

package admin

func profileEndpoints() []Endpoint { return nil }
