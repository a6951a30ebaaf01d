//go:build minimal

package edition

const minimal = true
